"""Writes packages/evaluation/test/tasks/encodings.golden.json: how lm-evaluation-harness splits texts into tokens.

usage: python tools/golden/task-encodings/make_encodings.py, with lm_eval 0.4.13 and transformers
"""
import json
from pathlib import Path

from lm_eval.models.huggingface import HFLM
from transformers import PreTrainedTokenizerFast

root = Path(__file__).resolve().parents[3]
# the second puts <s> before texts, the first does not
tokenizers = {
    "datasets/controlled-bloom": {"bos_token": "<s>", "eos_token": "</s>"},
    "packages/models/test/fixtures/tokenizers/byte-fallback": {"bos_token": "<s>", "eos_token": "</s>"},
}
pairs = [
    ["Question: What is red?\nAnswer:", " a tomato"],
    ["Question: What is red?\nAnswer: ", "a tomato"],
    ["Question: What is red?\nAnswer:", "a tomato"],
    ["Question: What is red?\nAnswer: \n\t", "a tomato"],
    ["सवाल: लाल क्या है?\nजवाब:", " टमाटर"],
    ["問：赤いものは？\n答：\u3000", "トマト"],
    ["A non-breaking space ends this\u00a0", "text"],
    ["A byte order mark ends this\ufeff", "text"],
    ["A separator ends this\u001f", "text"],
    ["wor", "ld"],
    ["", "A sentence without a context."],
    ["", "<s>A sentence that begins with the token itself."],
    ["<s>A context that begins with it", " goes on."],
    ["<s>", "goes on."],
    [" <s>A context that has it later", " goes on."],
    ["ends with it </s>", " goes on."],
    ["two\n\n", "\n\nlines"],
]


class Encoder(HFLM):
    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.add_bos_token = None
        self.custom_prefix_token_id = None
        self.backend = "causal"
        self.enable_thinking = False

    def _loglikelihood_tokens(self, requests, disable_tqdm=False, override_bs=None):
        return [[context, continuation] for _, context, continuation in requests]


class Request:
    def __init__(self, pair):
        self.args = tuple(pair)


golden = []
for folder, tokens in tokenizers.items():
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(root / folder / "tokenizer.json"), **tokens)
    encoded = Encoder(tokenizer).loglikelihood([Request(pair) for pair in pairs], disable_tqdm=True)
    texts = [
        {"context": pair[0], "continuation": pair[1], "tokens": context + continuation, "predicted": len(continuation)}
        for pair, (context, continuation) in zip(pairs, encoded, strict=True)
    ]
    golden.append({"tokenizer": folder, "config": tokens, "texts": texts})
path = root / "packages/evaluation/test/tasks/encodings.golden.json"
path.parent.mkdir(exist_ok=True)
path.write_text(json.dumps(golden, indent=1, ensure_ascii=True) + "\n")
