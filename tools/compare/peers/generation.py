"""What models write: greedy continuations of held-out texts in each language, beside those of the dense model.

usage: generation.py TEXTS.yaml DENSE LABEL=FOLDER… [--prompts 8] [--prompt-tokens 64] [--tokens 64] [--threads 1] [--output texts.json]
                     [--dense-tokens FILE.json]
  TEXTS.yaml  heldout.yaml of tools/compare/texts.ts
  DENSE       the model before compression; each FOLDER one after it, as dense folders that transformers loads

What the dense model writes is kept in the file of --dense-tokens, and taken from there for the same texts and model.

Prints a line of JSON a model and language: `kept`, the share of continuations that py3langid takes for the language (of the
languages of the texts, as it does of the held-out text itself: `heldout`); `repeated`, the share of 4-grams of tokens that stood in
the same continuation before; `agrees`, the share of tokens before the first one that differs from the dense model's. Writing ends at
the end-of-text token.
"""
import argparse
import json
import os
import sys
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("texts", type=Path)
parser.add_argument("dense")
parser.add_argument("models", nargs="*")
parser.add_argument("--prompts", type=int, default=8)
parser.add_argument("--prompt-tokens", type=int, default=64)
parser.add_argument("--tokens", type=int, default=64)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--output", type=Path)
parser.add_argument("--dense-tokens", type=Path)
options = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(options.threads)
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch  # noqa: E402
import py3langid  # noqa: E402
from corpus_texts import paths_of, texts_of  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

torch.set_num_threads(options.threads)
paths = paths_of(options.texts)
py3langid.set_languages(sorted(paths))


def prompts_of(tokenizer, path):
    """Beginnings of the longest texts, and what follows each."""
    longest = sorted(texts_of(options.texts.parent / path), key=len, reverse=True)[: options.prompts]
    begun = [tokenizer(text, add_special_tokens=True)["input_ids"] for text in longest]
    length = options.prompt_tokens
    return [(tokens[:length], tokens[length : length + options.tokens]) for tokens in begun]


@torch.no_grad()
def continuations(model, tokenizer, prompts):
    """Greedy, all prompts at once: they have one length."""
    inputs = torch.tensor([tokens for tokens, _ in prompts])
    made = model.generate(
        inputs,
        attention_mask=torch.ones_like(inputs),
        max_new_tokens=options.tokens,
        do_sample=False,
        pad_token_id=tokenizer.eos_token_id,
    )
    rows = [row[inputs.shape[1] :].tolist() for row in made]
    return [row[: row.index(tokenizer.eos_token_id)] if tokenizer.eos_token_id in row else row for row in rows]


def repeated(tokens):
    grams = [tuple(tokens[index : index + 4]) for index in range(len(tokens) - 3)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def common(first, second):
    """Share of the longer one before the first token that differs."""
    longest = max(len(first), len(second), 1)
    for index, (one, other) in enumerate(zip(first, second)):
        if one != other:
            return index / longest
    return min(len(first), len(second)) / longest


def mean(values):
    return sum(values) / len(values)


def is_language(tokenizer, tokens, language):
    return py3langid.classify(tokenizer.decode(tokens, skip_special_tokens=True))[0] == language


asked = [str(options.dense), str(options.texts), options.prompts, options.prompt_tokens, options.tokens]
kept = json.loads(options.dense_tokens.read_text()) if options.dense_tokens and options.dense_tokens.exists() else {}
known = kept["languages"] if kept.get("asked") == asked else None
dense = {}
written = {}
for label, folder in [("dense", options.dense), *(entry.split("=", 1) for entry in options.models)]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    is_known = label == "dense" and known
    model = None if is_known else AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    for language, path in paths.items():
        prompts = prompts_of(tokenizer, path)
        made = known[language] if is_known else continuations(model, tokenizer, prompts)
        dense.setdefault(language, made)
        written.setdefault(label, {})[language] = [tokenizer.decode(tokens) for tokens in made]
        line = {
            "model": label,
            "language": language,
            "kept": mean([is_language(tokenizer, tokens, language) for tokens in made]),
            "heldout": mean([is_language(tokenizer, tokens, language) for _, tokens in prompts]),
            "repeated": mean([repeated(tokens) for tokens in made]),
            "agrees": mean([common(own, other) for own, other in zip(made, dense[language])]),
        }
        print(json.dumps(line), flush=True)
    print(f"{label} written", file=sys.stderr)
if options.output:
    options.output.write_text(json.dumps(written, ensure_ascii=False, indent=1))
if options.dense_tokens and not known:
    part = options.dense_tokens.with_suffix(".part")
    part.write_text(json.dumps({"asked": asked, "languages": dense}))
    part.rename(options.dense_tokens)
