"""Model folders without tokenizer.json, and what SentencePiece and transformers make of texts with them.

    python tools/golden/tokenizer-files/make_cases.py          # small ones, for the tests
    python tools/golden/tokenizer-files/make_cases.py WORK     # larger ones, for texts in 448 languages

Needs sentencepiece 0.2.3, tokenizers 0.23.3, transformers 5.24 and tiktoken 0.14. A folder has config.json, the files of its tokenizer and
golden.json: texts with their tokens and what these are decoded to, and the tokens of "a" with special tokens. Of SentencePiece's
kinds tokens and texts are SentencePiece's own; of vocab.json and merges.txt, transformers'; of ranks, tiktoken's.
"""

import gzip
import io
import json
import shutil
import sys
import tempfile
from base64 import b64encode
from pathlib import Path

import sentencepiece
import tiktoken
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers.convert_slow_tokenizer import bytes_to_unicode
from transformers import GPT2Tokenizer, M2M100Tokenizer, MBart50Tokenizer, MBartTokenizer, Qwen2Tokenizer
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

ROOT = Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "packages/models/test/fixtures/tokenizer-files"

SENTENCES = [
    "The window shows all files of the folder, and the folder shows the window.",
    "La ventana muestra todos los archivos de la carpeta. Ähnlich in Österreich.",
    "Cửa sổ hiển thị tất cả các tệp của thư mục.",
    "खिडकी सर्व फाइल दाखवते आणि सर्व दाखवते.",
    "জানালা ফোল্ডারের সব ফাইল দেখায়।",
    "窓はフォルダのすべてのファイルを表示します。",
    "تعرض النافذة كل ملفات المجلد.",
    "    if (files > 12) { show(files); }",
]
ODD = [
    "The folder", " two  spaces", "naïve file", "nai\u0308ve", "खिडकी दाखवते", "窓の表示", "new\nline\n\nand  two", "emoji 👩‍👧 here 👍🏽🇫🇷",
    "a 1234 b ٠١٢٣٤ ०१२३ ⅷ ½ 3²", "it's I'LL don’t 'S", "Cửa sổ của thư mục", "ফোল্ডারের ফাইল", "تعرض كل ملفات", "     five", "<tag>x", "<tag>x</tag> y",
    "", " ", "   ", "trailing  ", "a\u00A0b\u2003c\u3000d\u2028e\u202Ff \t g\t\th", "zero\u200Bwidth\u200Cjoin\u200Ders\uFEFF\u2060 so\u00ADft",
    "a\u0000b\u0001c\u0007d\u001Be\u007Ff\u0085g", "क्ष श्री ಕನ್ನಡ தமிழ் മലയാളം ක්‍රි སྐད་", "ā́ ท̂ นี้ ṩ ẛ̣ Z̸̡̛͎a̴lgo İıI ﬁ ﬃ Å", "한국어 가각힣 ㄱㄴ", "１２３ＡＢＣ ｶﾀｶﾅ 𠮷𪚥",
    "\u200Fשלום עוֹלָם می‌خواهم ۱۲۳، ؟", "\u0378\uE000\U0010FFFF\uFFFD", "…—–“”‘’«»¿¡§¶ !!! ??? ~~ ^^ \\\\ //", "\r\n x\r\ny", "a\n", "\n", "\t",
]

# the whole table of SentencePiece's default has 240 kB
RULES = [("ﬁ", "fi"), ("ﬃ", "ffi"), ("１", "1"), ("２", "2"), ("３", "3"), ("　", " "), ("\u00A0", " "), ("\u00AD", ""), ("\t", " "), ("\n", " "), ("½", "1⁄2")]


def small_table():
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", delete=False) as file:
        for source, target in RULES:
            print(*(" ".join(f"{ord(character):X}" for character in text) for text in (source, target)), sep="\t", file=file)
    return {"normalization_rule_tsv": file.name}


def long_texts():
    texts = []
    for file in sorted((ROOT / "packages/calibration-texts/data").glob("*/*.udhr.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            texts.append("\n".join(json.loads(line)["text"] for line in lines)[:1500])
    runs = [character * count for count in (2, 3, 5, 8, 15, 16, 17, 31, 33, 64) for character in " \n\t-=aअ"]
    return texts + [f"a{run}b" for run in runs]


def save(out, name, files, config, golden):
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file, content in {**files, "config.json": config}.items():
        if isinstance(content, bytes):
            (folder / file).write_bytes(content)
        else:
            text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"
            (folder / file).write_text(text, encoding="utf-8")
    (folder / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    print(name, len(golden["lines"]))


LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"


class Maker:
    def __init__(self, out, sentences, texts, size, table):
        self.out, self.sentences, self.texts, self.size, self.table = out, sentences, texts, size, table

    def pieces(self, name, file, config, files, special, ids=lambda ids: ids, texts=None, **options):
        """`special`: tokens put before and after a text. `ids` maps SentencePiece's ids to those of the class."""
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(self.sentences), model_writer=model, minloglevel=2, hard_vocab_limit=False, max_sentence_length=20000,
            **{"vocab_size": self.size, "character_coverage": 0.98, **self.table, **options})
        processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
        unknown = processor.unk_id()
        lines = []
        for text in self.texts if texts is None else texts:
            own = processor.encode(text)
            # the unknown token is no text; SentencePiece writes " ⁇ "
            lines.append({"text": text, "ids": ids(own), "decoded": None if unknown in own else processor.decode(own)})
        before, after = special
        save(self.out, name, {file: model.getvalue(), **files}, config, {"lines": lines, "a": [*before, *ids(processor.encode("a")), *after]})

    def listed(self, name):
        """M2M-100: pieces of a BPE whose ids are in vocab.json, in another order, and tokens of languages behind them."""
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(self.sentences), model_writer=model, minloglevel=2, hard_vocab_limit=False, max_sentence_length=20000,
            vocab_size=self.size, character_coverage=0.98, model_type="bpe", **self.table)
        processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
        pieces = [processor.id_to_piece(id) for id in range(3, processor.get_piece_size())]
        vocab = {token: id for id, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", *sorted(pieces, key=lambda piece: piece[::-1]), "madeupword0000"])}
        folder = Path(tempfile.mkdtemp())
        (folder / "vocab.json").write_text(json.dumps(vocab))
        (folder / "sentencepiece.bpe.model").write_bytes(model.getvalue())
        tokenizer = M2M100Tokenizer(str(folder / "vocab.json"), str(folder / "sentencepiece.bpe.model"))
        lines = []
        for text in self.texts:
            ids = tokenizer.encode(text, add_special_tokens=False)
            lines.append({"text": text, "ids": ids, "decoded": None if 3 in ids else processor.decode(processor.encode(text))})
        # transformers puts the token of a language before a text; here a model's passages do
        a = tokenizer.encode("a")[1:]
        save(self.out, name, {"sentencepiece.bpe.model": model.getvalue(), "vocab.json": vocab}, {"model_type": "m2m_100"}, {"lines": lines, "a": a, "languages": {"en": tokenizer.get_lang_id("en"), "zu": tokenizer.get_lang_id("zu")}})

    def merges(self, name, kind, config, files, normalizer, pre_tokenizer, added):
        tokenizer = Tokenizer(models.BPE())
        tokenizer.normalizer = normalizer
        tokenizer.pre_tokenizer = pre_tokenizer
        trainer = trainers.BpeTrainer(vocab_size=self.size, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=added)
        tokenizer.train_from_iterator(self.sentences, trainer)
        trained = json.loads(tokenizer.to_str())["model"]
        merges = "#version: 0.2\n" + "".join(f"{' '.join(merge)}\n" for merge in trained["merges"])
        self_files = {"vocab.json": trained["vocab"], "merges.txt": merges, **files}
        save(self.out, name, self_files, config, {"lines": [], "a": []})
        reference = kind.from_pretrained(self.out / name)
        lines = []
        for text in self.texts:
            own = reference.encode(text, add_special_tokens=False)
            lines.append({"text": text, "ids": own, "decoded": reference.decode(own, skip_special_tokens=True)})
        save(self.out, name, self_files, config, {"lines": lines, "a": reference.encode("a")})

    def ranks(self, out):
        """Tokens with ranks, as a file of tiktoken and as Mistral's tekken.json; tokens by tiktoken."""
        folder = self.out / "qwen2"
        vocab = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
        characters = {character: byte for byte, character in bytes_to_unicode().items()}
        # single bytes in their own order come first in these files
        tokens = sorted((bytes(characters[character] for character in token) for token in vocab), key=lambda token: (len(token) > 1, vocab["".join(bytes_to_unicode()[byte] for byte in token)]))
        ranks = {token: rank for rank, token in enumerate(tokens)}

        def golden(pattern, first):
            encoding = tiktoken.Encoding("own", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
            lines = []
            for text in self.texts:
                own = encoding.encode(text, disallowed_special=())
                lines.append({"text": text, "ids": [first + id for id in own], "decoded": encoding.decode(own)})
            return lines, [first + id for id in encoding.encode("a")]

        lines, a = golden(LLAMA3, 0)
        bos = len(ranks)
        save(out, "tiktoken", {
            "tokenizer.model": "".join(f"{b64encode(token).decode()} {rank}\n" for token, rank in ranks.items()),
            "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>", "added_tokens_decoder": {str(bos): {"content": "<|begin_of_text|>", "special": True}, str(bos + 1): {"content": "<|end_of_text|>", "special": True}}},
        }, {"model_type": "llama"}, {"lines": lines, "a": [bos, *a]})
        lines, a = golden(TEKKEN, 30)
        save(out, "tekken", {"tekken.json": {
            # files have more tokens than are used
            "config": {"pattern": TEKKEN, "num_vocab_tokens": bos + 2, "default_vocab_size": bos + 30, "default_num_special_tokens": 30, "version": "v7"},
            "vocab": [{"rank": rank, "token_bytes": b64encode(token).decode(), "token_str": None} for token, rank in [*ranks.items(), (b"unused", bos), (b"unused too", bos + 1)]],
            "special_tokens": [{"rank": rank, "token_str": token, "is_control": True} for rank, token in enumerate(["<unk>", "<s>", "</s>", "[INST]"])],
        }}, {"model_type": "mistral"}, {"lines": lines, "a": [1, *a]})


def make(out, sentences, texts, size, table):
    maker = Maker(out, sentences, texts, size, table)
    plain = [text for text in texts if "<tag>" not in text]
    untouched = {"normalization_rule_name": "identity", "normalization_rule_tsv": "", "remove_extra_whitespaces": False}
    # Llama 2: a folder of 2023, whose tokens are named in special_tokens_map.json, with a token added
    maker.pieces(
        "llama", "tokenizer.model", {"model_type": "llama"},
        {"special_tokens_map.json": {"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}, "unk_token": "<unk>"},
         "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer", "legacy": True}},
        ([1], []), model_type="bpe", byte_fallback=True, split_digits=True, texts=plain, **untouched)
    # Mistral 7B v0.3: tokens for control in the model file, a configuration with added_tokens_decoder
    maker.pieces(
        "mistral", "tokenizer.model", {"model_type": "mistral"},
        {"tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": True, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "added_tokens_decoder": {str(id): {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True} for id, content in enumerate(["<unk>", "<s>", "</s>", "[INST]", "[/INST]"])}}},
        ([1], [2]), model_type="bpe", byte_fallback=True, texts=plain, control_symbols=["[INST]", "[/INST]"], **untouched)
    # Gemma: no space before a text, runs of spaces and line ends and a tag as user-defined tokens
    runs = ["▁" * length for length in range(2, 32)] + ["\n" * length for length in range(1, 32)]
    maker.pieces(
        "gemma", "tokenizer.model", {"model_type": "gemma2"}, {"tokenizer_config.json": {"tokenizer_class": "GemmaTokenizer"}},
        ([2], []), model_type="bpe", byte_fallback=True, split_digits=True, add_dummy_prefix=False, user_defined_symbols=[*runs, "<tag>", "</tag>"],
        pad_id=0, eos_id=1, bos_id=2, unk_id=3, pad_piece="<pad>", eos_piece="<eos>", bos_piece="<bos>", unk_piece="<unk>", **untouched)
    # NLLB's kind: BPE with a table of characters and without bytes
    maker.pieces(
        "bpe-table", "tokenizer.model", {"model_type": "llama"}, {"tokenizer_config.json": {"tokenizer_class": "LlamaTokenizerFast", "add_bos_token": False}},
        ([], []), model_type="bpe")
    # T5: Unigram, with sentinels after the file's pieces
    t5 = {"model_type": "unigram", "pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    maker.pieces("t5", "spiece.model", {"model_type": "t5"}, {}, ([], [1]), **t5)
    maker.pieces(
        "mt5", "spiece.model", {"model_type": "mt5"},
        {"tokenizer_config.json": {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "extra_ids": 0, "additional_special_tokens": None}},
        ([], [1]), byte_fallback=True, **t5)
    # XGLM and XLM-R: fairseq's tokens first
    moved = lambda ids: [{0: 3, 1: 0, 2: 2}.get(id, id + 1) for id in ids]  # noqa: E731
    maker.pieces("xglm", "sentencepiece.bpe.model", {"model_type": "xglm"}, {}, ([2], []), moved, model_type="unigram")
    maker.pieces("xlm-roberta", "sentencepiece.bpe.model", {"model_type": "xlm-roberta"}, {}, ([0], [2]), moved, model_type="unigram")
    # mBART: the same with tokens of languages behind the file's pieces, which transformers puts before or behind a text
    for name, kind, files in (("mbart-50", MBart50Tokenizer, {"tokenizer_config.json": {"tokenizer_class": "MBart50Tokenizer"}}), ("mbart", MBartTokenizer, {})):
        maker.pieces(name, "sentencepiece.bpe.model", {"model_type": "mbart"}, files, ([], [2]), moved, model_type="unigram")
        golden = json.loads((out / name / "golden.json").read_text(encoding="utf-8"))
        reference = kind.from_pretrained(out / name)
        golden["languages"] = {code: reference.convert_tokens_to_ids(code) for code in ("ar_AR", "en_XX", "zh_CN")}
        (out / name / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    maker.listed("m2m-100")
    maker.merges(
        "gpt2", GPT2Tokenizer, {"model_type": "gpt2"}, {"tokenizer_config.json": {"model_max_length": 1024, "tokenizer_class": "GPT2Tokenizer"}},
        None, pre_tokenizers.ByteLevel(add_prefix_space=False), ["<|endoftext|>"])
    maker.merges(
        "qwen2", Qwen2Tokenizer, {"model_type": "qwen2"},
        {"tokenizer_config.json": {"tokenizer_class": "Qwen2Tokenizer", "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "unk_token": None, "added_tokens_decoder": {str(size): {"content": "<|endoftext|>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}, str(size + 1): {"content": "<|im_end|>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}, str(size + 2): {"content": "<tag>", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False, "special": False}}}},
        normalizers.NFC(), pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]), [])
    maker.ranks(out)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        make(FIXTURES, SENTENCES * 3, ODD, 500, small_table())
    else:
        texts = long_texts()
        make(Path(sys.argv[1]), [line for text in texts for line in text.split("\n") if line.strip()], texts + ODD, 8000, {})
