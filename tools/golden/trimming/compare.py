"""Whether a trimmed folder does in transformers what its source does.

    python tools/golden/trimming/compare.py SOURCE TRIMMED TEXTS.yaml [LANGUAGE,…]

TEXTS.yaml names a JSONL file a language. Of the named languages (all by default) every text must encode to the same tokens, under
their new ids; of the others every text must decode to the same text. Logits of kept tokens are compared over the first tokens of
a text a language, in float32. Needs torch, transformers and yaml or a flat manifest.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

source, trimmed, manifest = (Path(path) for path in sys.argv[1:4])
kept = sys.argv[4].split(",") if len(sys.argv) > 4 else None
TOKENS = 64


def files() -> dict[str, Path]:
    lines = (line.strip() for line in manifest.read_text(encoding="utf-8").splitlines())
    pairs = (line.split(": ", 1) for line in lines if ".jsonl" in line)
    return {language: manifest.parent / path.strip() for language, path in pairs}


old, new = (AutoTokenizer.from_pretrained(str(folder)) for folder in (source, trimmed))
old_ids, new_ids = old.get_vocab(), new.get_vocab()
rows = json.loads((trimmed / "config.json").read_text())["vocab_size"]
# of each new row the old one
old_row = {id: old_ids[token] for token, id in new_ids.items() if id < rows}
new_row = {row: id for id, row in old_row.items()}
first = {}
for language, path in files().items():
    texts = [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").split("\n") if line]
    same = decoded = tokens_old = tokens_new = 0
    for text in texts:
        a = old.encode(text, add_special_tokens=False)
        b = new.encode(text, add_special_tokens=False)
        tokens_old, tokens_new = tokens_old + len(a), tokens_new + len(b)
        equal = [old_row[id] for id in b] == a
        same += equal
        decoded += equal or old.decode(a) == new.decode(b)
    first[language] = new.encode(texts[0])[:TOKENS]
    is_kept = kept is None or language in kept
    print(f"{language}: {len(texts)} texts, {same} the same tokens, {decoded} decode alike, {tokens_new / tokens_old:.4f} times the tokens")
    assert decoded == len(texts) and (not is_kept or same == len(texts)), language

models = [AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32).eval() for folder in (source, trimmed)]
order = torch.tensor([old_row[id] for id in sorted(old_row)])
columns = torch.tensor(sorted(old_row))
for language, ids in first.items():
    with torch.no_grad():
        a = models[0](torch.tensor([[old_row[id] for id in ids]])).logits[0][:, order]
        b = models[1](torch.tensor([ids])).logits[0][:, columns]
    print(f"{language}: logits differ by {(a - b).abs().max().item():.2e} of {a.abs().max().item():.1f}")
for key in ("bos_token_id", "eos_token_id", "pad_token_id"):
    a, b = (getattr(model.generation_config, key) for model in models)
    print(key, a, "→", b)
    assert (a is None) == (b is None) and (a is None or old_row.get(b, b) == a)
