"""Write a training checkpoint as a Hugging Face BLOOM directory and check it.

    python export.py --state state --out ../../datasets/controlled-bloom

Besides the f16 model and the tokenizer this writes distribution.json: the exact
share of every language in the tokens the checkpoint was trained on.
"""

import argparse
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BloomConfig, BloomForCausalLM

from model import Bloom, Shape

TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "unk_token": "<unk>",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "pad_token": "<pad>",
    "padding_side": "left",
    "clean_up_tokenization_spaces": False,
    "model_max_length": 256,
}


def configure(shape: Shape) -> BloomConfig:
    """The transformers configuration of a shape."""
    return BloomConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        n_layer=shape.layers,
        n_head=shape.heads,
        seq_length=shape.context,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=3,
        use_cache=True,
    )


def write_distribution(path: Path, saved: dict, shape: Shape) -> None:
    """The language shares of the tokens trained on so far."""
    total = sum(saved["counts"].values())
    distribution = {
        "name": "controlled-bloom",
        "unit": "tokens",
        "source": (
            "Counted while training by tools/training/train.py: "
            f"{total} sequences of {shape.context} tokens, each of one language"
        ),
        "tokens": total * shape.context,
        "shares": {code: count / total for code, count in saved["counts"].items()},
    }
    path.write_text(json.dumps(distribution, indent=2) + "\n", encoding="utf-8")


def largest_difference(directory: Path, model: Bloom) -> float:
    """The largest difference of logits between the exported model and `model` in f16 values."""
    exported = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    rounded = Bloom(model.shape)
    rounded.load_state_dict({k: v.half().float() for k, v in model.state_dict().items()})
    tokenizer = AutoTokenizer.from_pretrained(directory)
    text = "Open the settings and choose a language. Ouvrez les paramètres. 打开设置。"
    tokens = torch.tensor([tokenizer(text)["input_ids"]])
    with torch.inference_mode():
        return (exported(tokens).logits - rounded(tokens)).abs().max().item()


def main():
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    saved = torch.load(arguments.state / "checkpoint.pt", weights_only=True)
    shape = Shape()
    model = Bloom(shape)
    model.load_state_dict(saved["model"])
    target = BloomForCausalLM(configure(shape))
    missing, unexpected = target.load_state_dict(model.state_dict(), strict=False)
    assert missing in ([], ["lm_head.weight"]) and not unexpected, (missing, unexpected)
    target.tie_weights()
    target.half().save_pretrained(arguments.out)
    tokenizer = (arguments.state / "tokenizer/tokenizer.json").read_text(encoding="utf-8")
    (arguments.out / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    config = json.dumps(TOKENIZER_CONFIG, indent=2) + "\n"
    (arguments.out / "tokenizer_config.json").write_text(config, encoding="utf-8")
    write_distribution(arguments.out / "distribution.json", saved, shape)
    difference = largest_difference(arguments.out, model)
    print(f"step {saved['step']}, largest difference of logits {difference:.2e}")
    assert difference < 1e-3


if __name__ == "__main__":
    main()
