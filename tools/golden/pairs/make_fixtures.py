"""Tiny random translation models with transformers' own tokenizers, and their losses of pairs, as fixtures of packages/models.

    python tools/golden/pairs/make_fixtures.py [nllb | mbart-50 | mbart-25]

Needs torch, transformers and tokenizers (made with torch 2.15.0, transformers 5.24.0). The loss is that of
`model(**tokenizer(source, text_target=target))`: of the target's language, its tokens and its end, a mean. `generated` is what
greedy search makes of a source, without the tokens around it.
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import M2M100Config, M2M100ForConditionalGeneration, MBart50Tokenizer, MBartConfig, MBartForConditionalGeneration, MBartTokenizer, NllbTokenizer

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tools/golden"), str(ROOT / "tools/golden/forward")]

from make_fixtures import randomise  # noqa: E402
from model_types.m2m_100 import FORWARD_M2M  # noqa: E402
from model_types.mbart import FORWARD_MBART, MBART_50  # noqa: E402

FIXTURES = ROOT / "packages/models/test/fixtures"
PAIRS = {
    "en": [("the sea is calm today", "आज समुद्र शांत आहे"), ("where is the school", "शाळा कुठे आहे"), ("we read", "आपण वाचतो")],
    "de": [("das Meer ist heute ruhig", "आज समुद्र शांत आहे"), ("wo ist die Schule", "शाळा कुठे आहे")],
}
TEXTS = [text for pairs in PAIRS.values() for pair in pairs for text in pair]
# the target's language is one that all tokenizers have
NLLB = {"en": "eng_Latn", "de": "deu_Latn", "mr": "mar_Deva"}
MBART = {"en": "en_XX", "de": "de_DE", "mr": "mr_IN"}
CC25 = {**MBART, "mr": "hi_IN"}
SPACES = {"replacement": "▁", "prepend_scheme": "always", "split": True}


def merges() -> NllbTokenizer:
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace(**SPACES)
    trained.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=96, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], show_progress=False))
    model = json.loads(trained.to_str())["model"]
    return NllbTokenizer(vocab=model["vocab"], merges=[tuple(merge) for merge in model["merges"]])


def unigrams(kind):
    trained = Tokenizer(models.Unigram())
    trained.pre_tokenizer = pre_tokenizers.Metaspace(**SPACES)
    trained.train_from_iterator(TEXTS, trainers.UnigramTrainer(vocab_size=96, special_tokens=["<unk>", "<s>", "</s>"], unk_token="<unk>", show_progress=False))
    # as a model file of SentencePiece has them
    pieces = [tuple(piece) for piece in json.loads(trained.to_str())["model"]["vocab"]]
    if kind is MBart50Tokenizer:
        return kind(vocab=pieces)
    codes = [code for code in kind(vocab=None).lang_code_to_id]
    return kind(vocab=[*((token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")), *pieces[3:], *((token, 0.0) for token in (*codes, "<mask>"))])


def mbart(tokenizer, more: dict):
    return MBartForConditionalGeneration(MBartConfig(vocab_size=len(tokenizer), **FORWARD_MBART, **more))


# name: (seed, codes of languages, tokenizer, model of it)
CASES = {
    "nllb": (324, NLLB, merges, lambda tokenizer: M2M100ForConditionalGeneration(M2M100Config(vocab_size=len(tokenizer), **FORWARD_M2M))),
    "mbart-50": (325, MBART, lambda: unigrams(MBart50Tokenizer), lambda tokenizer: mbart(tokenizer, MBART_50)),
    "mbart-25": (326, CC25, lambda: unigrams(MBartTokenizer), lambda tokenizer: mbart(tokenizer, {})),
}


def generated(own, tokenizer, inputs: dict, language: int, start_is_language: bool) -> list[int]:
    start = {"decoder_start_token_id": language} if start_is_language else {"forced_bos_token_id": language}
    made = own.generate(input_ids=inputs["input_ids"], num_beams=1, do_sample=False, max_new_tokens=16, **start)[0].tolist()
    text = made[1:] if start_is_language else made[2:]
    return text[: text.index(tokenizer.eos_token_id)] if tokenizer.eos_token_id in text else text


def main(name: str) -> None:
    seed, codes, make_tokenizer, make_model = CASES[name]
    folder = FIXTURES / name
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(folder)

    torch.manual_seed(seed)
    own = make_model(tokenizer).eval()
    randomise(own)
    if name != "nllb":
        # greedy search repeats one token where positions weigh as little as tokens
        own.model.decoder.embed_positions.weight.data *= 6
    own.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    pairs = []
    for source_language, texts in PAIRS.items():
        tokenizer.src_lang, tokenizer.tgt_lang = codes[source_language], codes["mr"]
        for source, target in texts:
            inputs = tokenizer(source, text_target=target, return_tensors="pt")
            with torch.no_grad():
                loss = own(**inputs).loss.item()
                made = generated(own, tokenizer, inputs, tokenizer.convert_tokens_to_ids(codes["mr"]), name == "mbart-25")
            pairs.append({"language": source_language, "source": source, "target": target, "tokens": inputs["labels"].shape[1], "loss": loss,
                          "input_ids": inputs["input_ids"][0].tolist(), "labels": inputs["labels"][0].tolist(), "generated": made})
    content = {"targetLanguage": codes["mr"] if name == "mbart-25" else "mr", "pairs": pairs}
    (folder / "golden.json").write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


for wanted in sys.argv[1:] or CASES:
    main(wanted)
