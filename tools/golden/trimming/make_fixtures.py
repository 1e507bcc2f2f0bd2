"""A tokenizer of each family that `mbs trim` takes, trained on some of the controlled texts, with texts that it may lose.

    python tools/golden/trimming/make_fixtures.py

Needs tokenizers (made with 0.23). Three kinds, as checkpoints on the Hub have them: byte-level BPE that takes whole words from
the vocabulary (Llama 3), SentencePiece's BPE with byte fallback, whose file lists every way to merge a piece (Gemma), and
Unigram without byte fallback (XGLM).
"""

import json
from itertools import islice
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = Path(__file__).resolve().parents[3]
TEXTS = ROOT / "datasets/controlled-texts/calibration"
FIXTURES = ROOT / "packages/trimming/test/fixtures"
LANGUAGES = ["en", "de", "ru", "ja", "ta"]
SIZE = 1400


def texts():
    for language in LANGUAGES:
        with open(TEXTS / f"{language}.jsonl", encoding="utf-8") as lines:
            yield from (json.loads(line)["text"] for line in islice(lines, 40))


def unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=SIZE, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(texts(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="</s> $A", pair="</s> $A </s> </s> $B", special_tokens=[("</s>", tokenizer.token_to_id("</s>"))]
    )
    # behind the vocabulary, as XGLM's are
    tokenizer.add_tokens([AddedToken(f"<madeupword{index}>", normalized=False) for index in range(3)])
    return tokenizer


def every_way(content: dict) -> list[list[str]]:
    """Merges as a conversion of SentencePiece's file lists them: by the rank of the piece, all ways to make it."""
    vocab = content["model"]["vocab"]
    ways = []
    for rank, merge in enumerate(content["model"]["merges"]):
        piece = "".join(merge)
        for cut in range(1, len(piece)):
            if piece[:cut] in vocab and piece[cut:] in vocab:
                ways.append((rank, vocab[piece[:cut]], vocab[piece[cut:]], [piece[:cut], piece[cut:]]))
    unique = {json.dumps(way): (rank, left, right, way) for rank, left, right, way in sorted(ways, reverse=True)}
    return [way for *_, way in sorted(unique.values())]


def sentencepiece_bpe() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    special = ["<pad>", "<eos>", "<bos>", "<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=SIZE, special_tokens=special, limit_alphabet=400, show_progress=False)
    tokenizer.train_from_iterator(texts(), trainer)
    content = json.loads(tokenizer.to_str())
    # the byte tokens are plain entries in real files; Gemma's line breaks are added tokens that are not special
    content["added_tokens"] = content["added_tokens"][:4]
    content["model"]["merges"] = every_way(content)
    content["pre_tokenizer"] = None
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.add_tokens([AddedToken("\n\n\n", normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    return tokenizer


def byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    words = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(words), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=SIZE, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts(), trainer)
    # special tokens behind the vocabulary, as Llama 3 has them
    tokenizer.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>"])
    begin = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", begin)]
    )
    return tokenizer


if __name__ == "__main__":
    FIXTURES.mkdir(parents=True, exist_ok=True)
    for name, make in {"unigram": unigram, "sentencepiece-bpe": sentencepiece_bpe, "byte-level": byte_level}.items():
        tokenizer = make()
        tokenizer.save(str(FIXTURES / f"{name}.json"), pretty=False)
        print(name, tokenizer.get_vocab_size())
