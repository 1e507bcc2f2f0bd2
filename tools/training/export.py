"""Write a training checkpoint as a Hugging Face directory and check it.

    python export.py --state state --out ../../datasets/controlled-bloom
    python export.py --state state --run state/llama --architecture llama --out ../../datasets/controlled-llama

Besides the f16 model and the tokenizer this writes distribution.json: the exact
share of every language in the tokens the checkpoint was trained on.
"""

import argparse
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from networks import NETWORKS, Network

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


def write_distribution(path: Path, saved: dict, context: int) -> None:
    """The language shares of the tokens trained on so far."""
    total = sum(saved["counts"].values())
    distribution = {
        "name": path.parent.name,
        "unit": "tokens",
        "source": (
            "Counted while training by tools/training/train.py: "
            f"{total} sequences of {context} tokens, each of one language"
        ),
        "tokens": total * context,
        "shares": {code: count / total for code, count in saved["counts"].items()},
    }
    path.write_text(json.dumps(distribution, indent=2) + "\n", encoding="utf-8")


def largest_difference(directory: Path, network: Network, model: torch.nn.Module) -> float:
    """The largest difference of logits between the exported model and `model` in f16 values."""
    exported = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    rounded = network.build(model.shape)
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
    parser.add_argument("--run", type=Path, help="folder of the checkpoint; default: the state")
    parser.add_argument("--architecture", choices=NETWORKS, default="bloom")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    saved = torch.load((arguments.run or arguments.state) / "checkpoint.pt", weights_only=True)
    network = NETWORKS[arguments.architecture]
    shape = network.shape(**saved.get("shape", {}))
    model = network.build(shape)
    model.load_state_dict(saved["model"])
    target = network.exported(shape)
    missing, unexpected = target.load_state_dict(model.state_dict(), strict=False)
    assert missing in ([], ["lm_head.weight"]) and not unexpected, (missing, unexpected)
    target.tie_weights()
    target.half().save_pretrained(arguments.out)
    tokenizer = (arguments.state / "tokenizer/tokenizer.json").read_text(encoding="utf-8")
    (arguments.out / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    config = json.dumps(TOKENIZER_CONFIG, indent=2) + "\n"
    (arguments.out / "tokenizer_config.json").write_text(config, encoding="utf-8")
    write_distribution(arguments.out / "distribution.json", saved, shape.context)
    difference = largest_difference(arguments.out, network, model)
    print(f"step {saved['step']}, largest difference of logits {difference:.2e}")
    assert difference < 1e-3


if __name__ == "__main__":
    main()
