"""Score the heldout texts with the exported network, language by language.

    python evaluate.py --model ../../datasets/controlled-bloom \\
        --texts ../../datasets/controlled-texts/heldout --out state/network.json

Documents of one language are joined, each ended by </s>; the network reads
windows of 256 tokens and predicts the token after each one, so every token is
predicted once, with 128 tokens of context on average.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn import functional as F
from transformers import AutoModelForCausalLM

from documents import figures, read_documents
from languages import LANGUAGES

CONTEXT = 256
BATCH = 16


@torch.inference_mode()
def network_nats(model, documents: list[np.ndarray], end: int) -> float:
    """Negative log-likelihood of every token under the network."""
    stream = np.concatenate([[end], *documents])
    windows = [stream[i : i + CONTEXT + 1] for i in range(0, len(stream) - 1, CONTEXT)]
    total = 0.0
    for start in range(0, len(windows), BATCH):
        chunk = windows[start : start + BATCH]
        tokens = torch.zeros(len(chunk), CONTEXT + 1, dtype=torch.long)
        targets = torch.full((len(chunk), CONTEXT), -100)
        for row, window in enumerate(chunk):
            tokens[row, : len(window)] = torch.from_numpy(window)
            targets[row, : len(window) - 1] = torch.from_numpy(window[1:])
        logits = model(tokens[:, :-1]).logits.float()
        total += F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum").item()
    return total


def main():
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    end = tokenizer.token_to_id("</s>")
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).eval()
    results = {}
    for code in (language.code for language in LANGUAGES):
        groups = read_documents(arguments.texts / f"{code}.jsonl", tokenizer)
        results[code] = {
            group: figures(network_nats(model, documents, end), documents, size)
            for group, (documents, size) in groups.items()
        }
        print(code, results[code]["all"], flush=True)
    arguments.out.write_text(json.dumps({"languages": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
