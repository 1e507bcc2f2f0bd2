"""The training token stream: exact language shares, reproducible from any step."""

import json
import random
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from languages import LANGUAGES

SEED = 11


def encode_corpus(train: Path, tokenizer: Tokenizer, end: int) -> dict[str, list[np.ndarray]]:
    """Token arrays of all training documents by language, each ended by `end`."""
    corpus = {}
    for language in LANGUAGES:
        lines = (train / f"{language.code}.jsonl").read_text(encoding="utf-8").splitlines()
        texts = [json.loads(line)["text"] for line in lines]
        encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
        corpus[language.code] = [np.array([*e.ids, end], dtype=np.int32) for e in encoded]
    return corpus


class LanguageStream:
    """Endless windows of one language: documents in a new seeded order every epoch."""

    def __init__(self, code: str, documents: list[np.ndarray]):
        self.code = code
        self.documents = documents
        self.epoch = 0
        self.buffer = np.empty(0, dtype=np.int32)

    def window(self, length: int) -> np.ndarray:
        """The next `length` tokens."""
        while len(self.buffer) < length:
            order = list(range(len(self.documents)))
            random.Random(f"{SEED}/{self.code}/{self.epoch}").shuffle(order)
            self.buffer = np.concatenate([self.buffer, *(self.documents[i] for i in order)])
            self.epoch += 1
        taken, self.buffer = self.buffer[:length], self.buffer[length:]
        return taken


class Mixture:
    """Batches of single-language sequences whose running counts follow the shares.

    Each sequence goes to the language furthest behind its share, so every prefix
    of the stream has the exact mixture up to one sequence a language.
    """

    def __init__(self, corpus: dict[str, list[np.ndarray]], context: int):
        self.streams = {code: LanguageStream(code, docs) for code, docs in corpus.items()}
        self.counts = {language.code: 0 for language in LANGUAGES}
        self.context = context

    def _next_language(self) -> str:
        total = sum(self.counts.values()) + 1
        return max(LANGUAGES, key=lambda l: l.share * total - self.counts[l.code]).code

    def batch(self, size: int) -> np.ndarray:
        """`size` sequences of context + 1 tokens (inputs and shifted targets)."""
        rows = []
        for _ in range(size):
            code = self._next_language()
            self.counts[code] += 1
            rows.append(self.streams[code].window(self.context + 1))
        return np.stack(rows).astype(np.int64)

    def skip(self, batches: int, size: int) -> None:
        """Advance as if `batches` batches had been taken."""
        for _ in range(batches):
            self.batch(size)

    def shares(self) -> dict[str, float]:
        """The exact share of every language in the sequences (and tokens) so far."""
        total = sum(self.counts.values())
        return {code: count / total for code, count in self.counts.items()}
