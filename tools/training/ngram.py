"""An interpolated modified Kneser-Ney n-gram model over tokens (Chen & Goodman 1999).

The baseline the controlled model must beat: one model a language, trained on
that language's training texts with the same tokenizer.
"""

from collections import Counter

import numpy as np


class KneserNey:
    """Modified Kneser-Ney of a given order; the lowest order mixes with a uniform one."""

    def __init__(self, documents: list[np.ndarray], order: int, vocabulary: int):
        self.order = order
        self.vocabulary = vocabulary
        self.tables = self._count(documents)
        self.discounts = [self._estimate(table) for table in self.tables]
        self.contexts = [self._summarise(table) for table in self.tables]

    def _count(self, documents):
        """Raw counts at the highest order, continuation counts below it."""
        top = Counter()
        for document in documents:
            tokens = (*[-1] * (self.order - 1), *document.tolist())
            top.update(zip(*(tokens[i:] for i in range(self.order))))
        tables = [top]
        for _ in range(self.order - 1):
            tables.insert(0, Counter(gram[1:] for gram in tables[0]))
        return tables

    @staticmethod
    def _estimate(table):
        """The discounts for counts 1, 2 and 3 or more."""
        n = Counter(count for count in table.values() if count <= 4)
        y = n[1] / max(n[1] + 2 * n[2], 1)
        estimates = (c - (c + 1) * y * n[c + 1] / max(n[c], 1) for c in (1, 2, 3))
        return [min(max(d, 0.05), c - 0.05) for c, d in enumerate(estimates, 1)]

    def _summarise(self, table):
        """For each context: its total count and the number of followers seen 1, 2, 3+ times."""
        summary = {}
        for gram, count in table.items():
            entry = summary.setdefault(gram[:-1], [0, 0, 0, 0])
            entry[0] += count
            entry[min(count, 3)] += 1
        return summary

    def probability(self, gram: tuple[int, ...]) -> float:
        """P(last token | the tokens before it)."""
        result = 1 / self.vocabulary
        for order in range(1, self.order + 1):
            part = gram[self.order - order :]
            context = self.contexts[order - 1].get(part[:-1])
            if context is None:
                break
            total, *followers = context
            discounts = self.discounts[order - 1]
            held_back = sum(d * n for d, n in zip(discounts, followers))
            count = self.tables[order - 1].get(part, 0)
            kept = count - discounts[min(count, 3) - 1] if count else 0.0
            result = (kept + held_back * result) / total
        return result

    def nats(self, documents: list[np.ndarray]) -> float:
        """Negative log-likelihood of whole documents."""
        total = 0.0
        for document in documents:
            tokens = (*[-1] * (self.order - 1), *document.tolist())
            grams = zip(*(tokens[i:] for i in range(self.order)))
            total -= float(np.log([self.probability(gram) for gram in grams]).sum())
        return total
