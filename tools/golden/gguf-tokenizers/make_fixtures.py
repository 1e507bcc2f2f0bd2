"""Small tokenizers as a GGUF file has them, and what independent programs make of some lines.

    python tools/golden/gguf-tokenizers/make_fixtures.py

Needs tokenizers 0.23, sentencepiece 0.2.3 and transformers 5.24 (for Qwen 2's pattern). One file for each kind: byte-level BPE
(tokens by the Python library), BPE and Unigram of SentencePiece (tokens by SentencePiece).
"""

import io
import json
import tempfile
from base64 import b64encode
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

FIXTURES = Path(__file__).resolve().parents[3] / "packages/models/test/fixtures/gguf-tokenizers"

TEXTS = [
    "The window shows all files of the folder, and the folder shows the window.",
    "La ventana muestra todos los archivos de la carpeta. Ähnlich in Österreich.",
    "Cửa sổ hiển thị tất cả các tệp của thư mục.",
    "खिडकी सर्व फाइल दाखवते आणि सर्व दाखवते.",
    "জানালা ফোল্ডারের সব ফাইল দেখায়।",
    "窓はフォルダのすべてのファイルを表示します。",
    "تعرض النافذة كل ملفات المجلد.",
    "    if (files > 12) { show(files); }",
]
LINES = [
    "The folder", " two  spaces", "naïve file", "na\u0308ive", "खिडकी दाखवते", "窓の表示", "new\nline\n\nand  two", "emoji 👩‍👧 here", "a 1234 b",
    "it's I'LL", "Cửa sổ của thư mục", "ফোল্ডারের ফাইল", "تعرض كل ملفات", "     five", "<tag>x</tag> y", "", " ", "trailing  ",
]


def save(name, metadata, encode):
    FIXTURES.mkdir(parents=True, exist_ok=True)
    content = {"metadata": {key if "." in key else f"tokenizer.ggml.{key}": value for key, value in metadata.items()},
               "lines": [{"text": line, "ids": encode(line)} for line in LINES]}
    (FIXTURES / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=500, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    tokenizer.add_special_tokens(["<|end|>"])
    tokenizer.add_tokens(["<tag>"])
    parsed = json.loads(tokenizer.to_str())
    by_id = {id: token for token, id in tokenizer.get_vocab().items()}
    size = len(by_id)
    save("byte-level", {
        "general.architecture": "qwen2", "model": "gpt2", "pre": "qwen2",
        "tokens": [by_id[id] for id in range(size)] + [f"[PAD{id}]" for id in range(size, size + 6)],
        "token_type": [1] * (size - 2) + [3, 4] + [5] * 6,
        "merges": [merge if isinstance(merge, str) else " ".join(merge) for merge in parsed["model"]["merges"]],
        "bos_token_id": size - 2, "eos_token_id": size - 2, "add_bos_token": False, "tokenizer.chat_template": "{{ messages }}",
    }, lambda line: tokenizer.encode(line, add_special_tokens=False).ids)


def sentencepiece_model(**options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(TEXTS * 3), model_writer=model, minloglevel=2, **options)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto, sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()).encode


def sentencepiece_bpe():
    runs = ["▁" * length for length in range(2, 5)]
    proto, encode = sentencepiece_model(
        model_type="bpe", vocab_size=600, byte_fallback=True, character_coverage=0.98, normalization_rule_name="identity",
        add_dummy_prefix=False, remove_extra_whitespaces=False, user_defined_symbols=[*runs, "\n\n", "<tag>"])
    # conversions write their own score and spaces for added tokens
    added = [piece.type == 4 for piece in proto.pieces]
    save("sentencepiece-bpe", {
        "general.architecture": "gemma3", "model": "llama", "pre": "default",
        "tokens": [piece.piece.replace("▁", " ") if user else piece.piece for piece, user in zip(proto.pieces, added)],
        "scores": [-1000.0 if user else round(piece.score, 4) for piece, user in zip(proto.pieces, added)],
        "token_type": [piece.type for piece in proto.pieces],
        "bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0, "add_bos_token": True, "add_space_prefix": False,
    }, encode)


def unigram():
    proto, encode = sentencepiece_model(
        model_type="unigram", vocab_size=130, character_coverage=1.0, normalization_rule_name="identity", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    size, rows = len(proto.pieces), len(proto.pieces) + 128
    save("unigram", {
        "general.architecture": "t5", "model": "t5", "pre": "default",
        "tokens": [piece.piece for piece in proto.pieces] + [f"[PAD{id}]" for id in range(size, rows)],
        "scores": [round(piece.score, 5) for piece in proto.pieces] + [-10000.0] * 128,
        "token_type": [piece.type for piece in proto.pieces] + [5] * 128,
        "eos_token_id": 1, "padding_token_id": 0, "unknown_token_id": 2, "add_space_prefix": True, "remove_extra_whitespaces": True,
    }, encode)


def character_table():
    """A table of our own rules, compiled by SentencePiece; texts by the Python library."""
    rules = [("ệ", "e"), ("é", "E"), ("é", "x"), ("ể", "y"), ("ﬁ", "fi"), ("　", " "), ("\u00ad", ""), ("ا", "ar"), ("a\u0301", "á"), ("𝐀", "A")]
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", delete=False) as file:
        for source, target in rules:
            print(*(" ".join(f"{ord(character):X}" for character in text) for text in (source, target)), sep="\t", file=file)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(TEXTS * 3), model_writer=model, minloglevel=2, model_type="unigram",
                                             vocab_size=130, normalization_rule_tsv=file.name)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    table = proto.normalizer_spec.precompiled_charsmap
    normalizer = normalizers.Precompiled(table)
    lines = ["tiếng Việt ệ ể", "e\u0301 é é\u0302 a\u0301 á", "ﬁn　x\u00ady", "الا 𝐀𝐁", "plain", "", "👩‍👧 ñ a\u0301\u0302\u0303"]
    content = {"table": b64encode(table).decode(), "lines": [{"text": line, "normal": normalizer.normalize_str(line)} for line in lines]}
    (FIXTURES / "character-table.json").write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    character_table()
    byte_level()
    sentencepiece_bpe()
    unigram()
