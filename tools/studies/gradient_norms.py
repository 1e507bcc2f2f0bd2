"""Norm of the gradient of the dense controlled models' loss in each language, for the study of additivity.

    python gradient_norms.py > gradient-norms.json

Run at the root of the repository; torch and transformers are needed. The loss is the mean over the tokens of the first
`WINDOWS` windows of the held-out texts; the norm is over all weights, a token embedding and norms included.
"""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

MODELS = {"BLOOM": "datasets/controlled-bloom", "Llama": "datasets/controlled-llama"}
HELDOUT = Path("datasets/controlled-texts/heldout")
WINDOWS, LENGTH = 16, 256


def windows(tokenizer: Tokenizer, path: Path) -> torch.Tensor:
    """[windows, length] token ids: texts joined by a blank line, a short tail dropped."""
    texts = [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]
    ids = tokenizer.encode("\n\n".join(texts), add_special_tokens=False).ids
    count = min(WINDOWS, len(ids) // LENGTH)
    return torch.tensor(ids[: count * LENGTH]).view(count, LENGTH)


def norms(folder: str) -> dict[str, float]:
    """Gradient norm by language."""
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    found = {}
    for path in sorted(HELDOUT.glob("*.jsonl")):
        ids = windows(tokenizer, path)
        model.zero_grad()
        model(ids, labels=ids).loss.backward()
        squares = sum(float(p.grad.pow(2).sum()) for p in model.parameters() if p.grad is not None)
        found[path.stem] = squares**0.5
    return found


print(json.dumps({name: norms(folder) for name, folder in MODELS.items()}, indent=2))
