"""Compare the exported model with a Kneser-Ney n-gram model, language by language.

    python evaluate.py --state state --model ../../datasets/controlled-bloom \\
        --texts ../../datasets/controlled-texts/heldout --out state/evaluation.json

Documents of one language are joined, each ended by </s>; the network reads
windows of 256 tokens and predicts the token after each one (every token is
predicted once; at the start of a window the network has no context, the n-gram
model always has). Bytes are those of the texts plus one for each document end.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn import functional as F
from transformers import AutoModelForCausalLM

from languages import LANGUAGES
from ngram import KneserNey

ORDER = 5
CONTEXT = 256


def read_documents(path: Path, tokenizer: Tokenizer, source: str | None = None):
    """Token arrays (each with </s>) and the number of bytes they stand for."""
    end = tokenizer.token_to_id("</s>")
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    texts = [r["text"] for r in records if source in (None, r["source"])]
    encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
    documents = [np.array([*e.ids, end]) for e in encoded]
    return documents, sum(len(text.encode()) + 1 for text in texts)


@torch.inference_mode()
def network_nats(model, documents: list[np.ndarray], end: int) -> float:
    """Negative log-likelihood of every token under the network."""
    stream = np.concatenate([[end], *documents])
    windows = [stream[i : i + CONTEXT + 1] for i in range(0, len(stream) - 1, CONTEXT)]
    total = 0.0
    for start in range(0, len(windows), 16):
        chunk = windows[start : start + 16]
        tokens = torch.zeros(len(chunk), CONTEXT + 1, dtype=torch.long)
        targets = torch.full((len(chunk), CONTEXT), -100)
        for row, window in enumerate(chunk):
            tokens[row, : len(window)] = torch.from_numpy(window)
            targets[row, : len(window) - 1] = torch.from_numpy(window[1:])
        logits = model(tokens[:, :-1]).logits.float()
        total += F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum").item()
    return total


def figures(nats: float, tokens: int, size: int) -> dict[str, float]:
    """Perplexity a token and bits a byte."""
    return {
        "perplexity": round(math.exp(nats / tokens), 3),
        "bits_per_byte": round(nats / math.log(2) / size, 4),
    }


def main():
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--languages", nargs="*", default=[l.code for l in LANGUAGES])
    arguments = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    end = tokenizer.token_to_id("</s>")
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).eval()
    results = {}
    for code in arguments.languages:
        training, _ = read_documents(arguments.state / f"train/{code}.jsonl", tokenizer)
        baseline = KneserNey(training, ORDER, tokenizer.get_vocab_size())
        results[code] = {}
        for source in (None, "gnome-user-docs", "libreoffice-help"):
            documents, size = read_documents(arguments.texts / f"{code}.jsonl", tokenizer, source)
            if not documents:
                continue
            tokens = sum(map(len, documents))
            results[code][source or "all"] = {
                "tokens": tokens,
                "bytes": size,
                "model": figures(network_nats(model, documents, end), tokens, size),
                "ngram": figures(baseline.nats(documents), tokens, size),
            }
        print(code, json.dumps(results[code]), flush=True)
    arguments.out.write_text(json.dumps({"order": ORDER, "languages": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
