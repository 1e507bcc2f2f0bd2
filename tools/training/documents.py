"""Token arrays of text files, and the figures computed from log-likelihoods."""

import json
import math
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

SOURCES = ("gnome-user-docs", "libreoffice-help")


def read_documents(path: Path, tokenizer: Tokenizer) -> dict[str, tuple[list[np.ndarray], int]]:
    """For "all" and each source: documents (each ended by </s>) and their bytes.

    A document end counts as one byte.
    """
    end = tokenizer.token_to_id("</s>")
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    encoded = tokenizer.encode_batch([r["text"] for r in records], add_special_tokens=False)
    documents = [np.array([*e.ids, end], dtype=np.int64) for e in encoded]
    groups = {}
    for group in ("all", *SOURCES):
        chosen = [i for i, r in enumerate(records) if group in ("all", r["source"])]
        if chosen:
            size = sum(len(records[i]["text"].encode()) + 1 for i in chosen)
            groups[group] = ([documents[i] for i in chosen], size)
    return groups


def figures(nats: float, documents: list[np.ndarray], size: int) -> dict[str, float]:
    """Perplexity a token and bits a byte of documents with `nats` of surprise."""
    tokens = sum(map(len, documents))
    return {
        "tokens": tokens,
        "bytes": size,
        "perplexity": round(math.exp(nats / tokens), 3),
        "bits_per_byte": round(nats / math.log(2) / size, 4),
    }
