"""Ours against the originals in the Python library: python compare.py WORK. Needs what cases.py and check.ts wrote."""

import json
import sys
from pathlib import Path

from tokenizers import Tokenizer

WORK = Path(sys.argv[1])
TEXTS = json.loads((WORK / "texts.json").read_text())
for folder in sorted((WORK / "cases").iterdir()):
    if len(sys.argv) > 2 and folder.name not in sys.argv[2:]:
        continue
    encode = lambda file: (lambda t: [t.encode(x["text"], add_special_tokens=False).ids for x in TEXTS])(Tokenizer.from_file(str(folder / file)))
    ours = encode("ours.json")
    for file in ["original.json", "golden.json", "llama.cpp.json"]:
        if not (folder / file).exists():
            continue
        other = encode(file) if file == "original.json" else json.loads((folder / file).read_text())
        different = [text["name"] for text, a, b in zip(TEXTS, ours, other) if a != b]
        print(f"{folder.name}, {file}: {len(TEXTS) - len(different)} of {len(TEXTS)}", different[:40] or "")
