"""Make a mixture of experts of the controlled Llama, without training it.

    python upcycle.py --model ../../datasets/controlled-llama \
        --texts ../../datasets/controlled-texts/calibration --out state/mixture

Every expert is a copy of the block's MLP (sparse upcycling, arXiv:2212.05055), and
the shares of a token's experts sum to 1, so the mixture computes what the Llama
does, whatever its routers do. They send tokens where a k-means clustering of
their inputs has them: a linear map from input to cluster by least squares. The
clusters are of text in the shares of the training, so large languages have
experts of their own and small ones share some.
"""

import argparse
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, MixtralConfig, MixtralForCausalLM

SEED = 1
LENGTH = 256
SEGMENTS = 160
SHARPNESS = 8.0
"""What the least-squares scores are multiplied by: the first of two experts then has most of a token."""


def read_segments(texts: Path, shares: dict[str, float], tokenizer) -> torch.Tensor:
    """Token ids [segments, LENGTH], at least one segment a language."""
    rows = []
    for language, share in shares.items():
        count = max(1, round(SEGMENTS * share))
        lines = (texts / f"{language}.jsonl").read_text(encoding="utf-8").splitlines()
        text = "\n\n".join(json.loads(line)["text"] for line in lines)
        tokens = tokenizer(text[: 12 * count * LENGTH])["input_ids"]
        rows += [tokens[i * LENGTH : (i + 1) * LENGTH] for i in range(len(tokens) // LENGTH)][:count]
    return torch.tensor(rows)


def cluster(inputs: torch.Tensor, count: int) -> torch.Tensor:
    """The cluster of each row of [tokens, width], by k-means on centred inputs."""
    generator = torch.Generator().manual_seed(SEED)
    points = inputs - inputs.mean(0)
    centres = points[torch.randperm(len(points), generator=generator)[:count]]
    for _ in range(30):
        labels = torch.cdist(points, centres).argmin(1)
        centres = torch.stack(
            [points[labels == c].mean(0) if (labels == c).any() else centres[c] for c in range(count)]
        )
    return labels


def router(inputs: torch.Tensor, count: int) -> torch.Tensor:
    """A router [experts, width] that scores each row's own cluster highest, as far as a linear map can."""
    wanted = torch.nn.functional.one_hot(cluster(inputs, count), count).float()
    gram = inputs.T @ inputs
    ridge = 1e-3 * gram.diagonal().mean() * torch.eye(len(gram))
    return SHARPNESS * torch.linalg.solve(gram + ridge, inputs.T @ wanted).T


def main():
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--experts", type=int, default=8)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    llama = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).eval()
    distribution = (arguments.model / "distribution.json").read_text(encoding="utf-8")
    tokens = read_segments(arguments.texts, json.loads(distribution)["shares"], tokenizer)
    inputs: list[list[torch.Tensor]] = [[] for _ in llama.model.layers]
    for index, layer in enumerate(llama.model.layers):
        layer.mlp.register_forward_pre_hook(lambda _, given, index=index: inputs[index].append(given[0].flatten(0, 1)))
    with torch.inference_mode():
        for batch in tokens.split(8):
            llama(batch)
        routers = [router(torch.cat(own), arguments.experts) for own in inputs]
    config = llama.config
    mixture = MixtralForCausalLM(
        MixtralConfig(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_hidden_layers,
            num_attention_heads=config.num_attention_heads,
            num_key_value_heads=config.num_key_value_heads,
            num_local_experts=arguments.experts,
            num_experts_per_tok=2,
            max_position_embeddings=config.max_position_embeddings,
            rms_norm_eps=config.rms_norm_eps,
            rope_theta=10_000.0,
            sliding_window=None,
            tie_word_embeddings=True,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=3,
        )
    )
    state = {name: value for name, value in llama.state_dict().items() if ".mlp." not in name}
    for index, layer in enumerate(llama.model.layers):
        mlp, block = layer.mlp, f"model.layers.{index}.mlp"
        state[f"{block}.gate.weight"] = routers[index]
        gate_up = torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])
        state[f"{block}.experts.gate_up_proj"] = gate_up.expand(arguments.experts, -1, -1).clone()
        state[f"{block}.experts.down_proj"] = mlp.down_proj.weight.expand(arguments.experts, -1, -1).clone()
    mixture.load_state_dict(state)
    with torch.inference_mode():
        difference = (mixture(tokens[:2]).logits - llama(tokens[:2]).logits).abs().max().item()
    mixture.half().save_pretrained(arguments.out)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (arguments.out / name).write_text((arguments.model / name).read_text(encoding="utf-8"), encoding="utf-8")
    (arguments.out / "distribution.json").write_text(distribution, encoding="utf-8")
    print(f"largest difference of logits {difference:.2e}")
    assert difference < 1e-3


if __name__ == "__main__":
    main()
