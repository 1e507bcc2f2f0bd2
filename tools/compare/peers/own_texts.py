"""Pages that a model writes itself, in each language, as calibration text: sampled at temperature 1 after the first tokens of a page.

usage: own_texts.py TEXTS MODEL [--pages 16] [--prompt-tokens 8] [--tokens 128] [--seed 0] [--threads 1]
  TEXTS  the folder of tools/compare/texts.ts, whose calibration pages begin the pages
  MODEL  a dense folder that transformers loads

Writes TEXTS/chosen/own/LANG.jsonl, where it is not there yet, and then TEXTS/chosen-own.yaml. A page holds its prompt and what follows it; the
end-of-text token is never taken, so that every page has its tokens.
"""
import argparse
import json
import os
import random
import sys
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("texts", type=Path)
parser.add_argument("model")
parser.add_argument("--pages", type=int, default=16)
parser.add_argument("--prompt-tokens", type=int, default=8)
parser.add_argument("--tokens", type=int, default=128)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--threads", type=int, default=1)
options = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(options.threads)
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch  # noqa: E402
from corpus_texts import paths_of, texts_of  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

torch.set_num_threads(options.threads)
tokenizer = AutoTokenizer.from_pretrained(options.model)
model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
paths = paths_of(options.texts / "calibration.yaml")
folder = options.texts / "chosen" / "own"
folder.mkdir(parents=True, exist_ok=True)

for language, path in paths.items():
    written = folder / f"{language}.jsonl"
    if written.exists():
        continue
    torch.manual_seed(options.seed)
    encoded = [tokenizer(text)["input_ids"][: options.prompt_tokens] for text in texts_of(options.texts / path)]
    long_enough = [tokens for tokens in encoded if len(tokens) == options.prompt_tokens]
    inputs = torch.tensor(random.Random(options.seed).sample(long_enough, options.pages))
    with torch.no_grad():
        made = model.generate(
            inputs,
            attention_mask=torch.ones_like(inputs),
            min_new_tokens=options.tokens - options.prompt_tokens,
            max_new_tokens=options.tokens - options.prompt_tokens,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
        )
    lines = [json.dumps({"text": tokenizer.decode(row, skip_special_tokens=True)}, ensure_ascii=False) for row in made]
    written.write_text("".join(f"{line}\n" for line in lines))
    print(f"own_texts: {language}, {len(lines)} pages", file=sys.stderr, flush=True)
(options.texts / "chosen-own.yaml").write_text("languages:\n" + "".join(f"  {tag}: chosen/own/{tag}.jsonl\n" for tag in paths))
