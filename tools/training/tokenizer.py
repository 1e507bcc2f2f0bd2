"""Train BLOOM's kind of tokenizer (byte-level BPE) on a sample of the exact mixture.

    python tokenizer.py --train state/train --out state/tokenizer

Pre-tokenizer and special tokens are those of bigscience/bloom, so a reader of
BLOOM's tokenizer.json reads this one.
"""

import argparse
import json
import random
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from languages import LANGUAGES

VOCABULARY = 4096
SAMPLE_BYTES = 16_000_000
SEED = 7
PATTERN = r" ?[^(\s|[.,!?…。，、।۔،])]+"
SPECIALS = ["<unk>", "<s>", "</s>", "<pad>"]


def sample_mixture(directory: Path) -> list[str]:
    """Documents of every language, repeated or cut to its share of the sample."""
    texts = []
    for language in LANGUAGES:
        lines = (directory / f"{language.code}.jsonl").read_text(encoding="utf-8").splitlines()
        documents = [json.loads(line)["text"] for line in lines]
        random.Random(f"{SEED}/{language.code}").shuffle(documents)
        wanted, position = language.share * SAMPLE_BYTES, 0
        while wanted > 0:
            document = documents[position % len(documents)]
            texts.append(document)
            wanted -= len(document.encode())
            position += 1
    return texts


def build() -> Tokenizer:
    """An untrained tokenizer laid out like BLOOM's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def main():
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    tokenizer = build()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIALS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sample_mixture(arguments.train), trainer)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=256,
    ).save_pretrained(arguments.out)
    print(f"{tokenizer.get_vocab_size()} tokens")


if __name__ == "__main__":
    main()
