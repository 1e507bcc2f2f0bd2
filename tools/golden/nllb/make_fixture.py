"""A tiny random NLLB with transformers' own NllbTokenizer, and its losses of pairs, as a fixture of packages/models.

    python tools/golden/nllb/make_fixture.py

Needs torch, transformers and tokenizers (made with torch 2.15.0, transformers 5.24.0). The loss is that of
`model(**tokenizer(source, text_target=target))`: of the target's language, its tokens and its end, a mean.
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tools/golden"), str(ROOT / "tools/golden/forward")]

from make_fixtures import randomise  # noqa: E402
from model_types.m2m_100 import FORWARD_M2M  # noqa: E402

FOLDER = ROOT / "packages/models/test/fixtures/nllb"
PAIRS = {
    "en": [("the sea is calm today", "आज समुद्र शांत आहे"), ("where is the school", "शाळा कुठे आहे"), ("we read", "आपण वाचतो")],
    "de": [("das Meer ist heute ruhig", "आज समुद्र शांत आहे"), ("wo ist die Schule", "शाळा कुठे आहे")],
}
CODES = {"en": "eng_Latn", "de": "deu_Latn", "mr": "mar_Deva"}


def main() -> None:
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    texts = [text for pairs in PAIRS.values() for pair in pairs for text in pair]
    trained.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=96, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], show_progress=False))
    model = json.loads(trained.to_str())["model"]
    tokenizer = NllbTokenizer(vocab=model["vocab"], merges=[tuple(merge) for merge in model["merges"]])
    tokenizer.save_pretrained(FOLDER)

    torch.manual_seed(324)
    own = M2M100ForConditionalGeneration(M2M100Config(vocab_size=len(tokenizer), **FORWARD_M2M)).eval()
    randomise(own)
    own.save_pretrained(FOLDER)
    (FOLDER / "generation_config.json").unlink(missing_ok=True)
    pairs = []
    for source_language, texts in PAIRS.items():
        tokenizer.src_lang, tokenizer.tgt_lang = CODES[source_language], CODES["mr"]
        for source, target in texts:
            inputs = tokenizer(source, text_target=target, return_tensors="pt")
            with torch.no_grad():
                loss = own(**inputs).loss.item()
            pairs.append({"language": source_language, "source": source, "target": target, "tokens": inputs["labels"].shape[1], "loss": loss,
                          "input_ids": inputs["input_ids"][0].tolist(), "labels": inputs["labels"][0].tolist()})
    content = {"targetLanguage": "mr", "pairs": pairs}
    (FOLDER / "golden.json").write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


main()
