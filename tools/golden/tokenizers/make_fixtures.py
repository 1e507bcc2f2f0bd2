"""Small tokenizers of the SentencePiece kind, trained on a few sentences, and what the Python library makes of some lines.

    python tools/golden/tokenizers/make_fixtures.py

Needs tokenizers (made with 0.23). Two kinds, as checkpoints on the Hub have them: Unigram with Metaspace (XGLM, mT5) and
BPE with byte fallback (Llama 2, Mistral, Gemma).
"""

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FIXTURES = Path(__file__).resolve().parents[3] / "packages/models/test/fixtures/tokenizers"

TEXTS = [
    "The window shows all files of the folder, and the folder shows the window.",
    "La ventana muestra todos los archivos de la carpeta.",
    "खिडकी सर्व फाइल दाखवते आणि सर्व दाखवते.",
    "窓はフォルダのすべてのファイルを表示します。",
] * 3

LINES = ["The folder", " two  spaces", "naïve file", "खिडकी दाखवते", "窓の表示", "new\nline", "emoji 👩‍👧 here", ""]


def unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=150, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="</s> $A", pair="</s> $A </s> </s> $B", special_tokens=[("</s>", tokenizer.token_to_id("</s>"))]
    )
    return tokenizer


def byte_fallback() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    # the byte tokens are plain entries in real files, not added tokens
    content = json.loads(tokenizer.to_str())
    content["added_tokens"] = content["added_tokens"][:3]
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


if __name__ == "__main__":
    for name, tokenizer in {"unigram": unigram(), "byte-fallback": byte_fallback()}.items():
        folder = FIXTURES / name
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        lines = []
        for line in LINES:
            ids = tokenizer.encode(line, add_special_tokens=False).ids
            lines.append({"text": line, "ids": ids, "decoded": tokenizer.decode(ids)})
        first = tokenizer.encode("a").ids[0]
        (folder / "golden.json").write_text(json.dumps({"bos": first, "lines": lines}, ensure_ascii=False) + "\n", encoding="utf-8")
