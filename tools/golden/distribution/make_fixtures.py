"""Train BPE tokenizers on known mixtures of made-up languages, with the trainer of Hugging Face's tokenizers.

    python make_fixtures.py > ../../../packages/language-distribution/test/fixtures/mixtures.json

Each language is a list of words with frequencies that fall as 1 / rank; tests draw texts of their own from them. `sharp` and
`flat` share letters, `other` has letters of its own and `rare` shares them. Pinned: tokenizers 0.23.3.
"""

import json
import random
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

WORDS = 400
BYTES = 1_000_000
MERGES = 500
LETTERS = {"sharp": "abcdefghijklm", "flat": "abcdefghijklm", "other": "αβγδεζηθικλμ", "rare": "αβγδεζηθικλμ"}
MIXTURES = [
    {"sharp": 0.4, "flat": 0.3, "other": 0.2, "rare": 0.1},
    {"sharp": 0.9, "flat": 0.06, "other": 0.03, "rare": 0.01},
    {"sharp": 0.02, "flat": 0.48, "other": 0.0, "rare": 0.5},
]


def make_words(language: str) -> list[str]:
    """Words of 2 to 9 letters, each language with letter pairs that it prefers."""
    generator = random.Random(f"words/{language}")
    letters = LETTERS[language]
    follow = {letter: generator.choices(letters, k=4) for letter in letters}
    words: dict[str, None] = {}
    while len(words) < WORDS:
        word = generator.choice(letters)
        for _ in range(generator.randint(1, 8)):
            word += generator.choice(follow[word[-1]])
        words[word] = None
    return list(words)


def make_text(language: str, words: list[str], size: float) -> str:
    """Words at random by their frequency, up to a size in bytes."""
    generator = random.Random(f"text/{language}/{size}")
    weights = [1 / (rank + 1) for rank in range(len(words))]
    chosen, used = [], 0
    while used < size:
        word = generator.choices(words, weights)[0]
        chosen.append(word)
        used += len(word.encode()) + 1
    return " ".join(chosen)


def train(mixture: dict[str, float], words: dict[str, list[str]], kind: str) -> dict:
    """The tokenizer.json of a tokenizer trained on a mixture."""
    tokenizer = Tokenizer(models.BPE())
    if kind == "byte-level":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        alphabet = []
    texts = [make_text(language, words[language], share * BYTES) for language, share in mixture.items()]
    size = len(alphabet or {letter for text in texts for letter in text}) + MERGES
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return json.loads(tokenizer.to_str())


def main() -> None:
    """Command line entry."""
    words = {language: make_words(language) for language in LETTERS}
    cases = [
        {"kind": kind, "shares": mixture, "tokenizer": train(mixture, words, kind)}
        for kind in ("byte-level", "sentencepiece")
        for mixture in (MIXTURES if kind == "byte-level" else MIXTURES[:1])
    ]
    json.dump({"words": words, "cases": cases}, sys.stdout, ensure_ascii=False)


if __name__ == "__main__":
    main()
