"""Score the heldout texts with Kneser-Ney n-gram models, one a language.

    python baseline.py --state state --texts ../../datasets/controlled-texts/heldout --out state/ngram.json

With `--read` a model is trained on the text the network has read up to the
checkpoint (for languages it has not read once completely), otherwise on all
training pages of the language.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from documents import figures, read_documents
from languages import LANGUAGES
from ngram import KneserNey
from stream import LanguageStream

ORDER = 5
CONTEXT = 256


def read_part(code: str, documents: list[np.ndarray], sequences: int) -> list[np.ndarray]:
    """The documents of the first `sequences` windows of a language, each at most once."""
    tokens = sequences * (CONTEXT + 1)
    if tokens >= sum(map(len, documents)):
        return documents
    return [LanguageStream(code, documents).window(tokens)]


def main():
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--read", action="store_true")
    arguments = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(arguments.state / "tokenizer/tokenizer.json"))
    results = {}
    for code in (language.code for language in LANGUAGES):
        training, _ = read_documents(arguments.state / f"train/{code}.jsonl", tokenizer)["all"]
        if arguments.read:
            counts = torch.load(arguments.state / "checkpoint.pt", weights_only=True)["counts"]
            part = read_part(code, training, counts[code])
            if part is training:
                continue
            training = part
        model = KneserNey(training, ORDER, tokenizer.get_vocab_size())
        groups = read_documents(arguments.texts / f"{code}.jsonl", tokenizer)
        results[code] = {g: figures(model.nats(d), d, size) for g, (d, size) in groups.items()}
        print(code, sum(map(len, training)), results[code]["all"], flush=True)
    arguments.out.write_text(json.dumps({"order": ORDER, "languages": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
