"""Whether the Python library gives the same tokens with the tokenizer.json that check.ts wrote: python compare.py WORK"""

import json
import sys
from pathlib import Path

from tokenizers import Tokenizer

for folder in sorted(Path(sys.argv[1]).iterdir()):
    lines = json.loads((folder / "golden.json").read_text(encoding="utf-8"))["lines"]
    tokenizer = Tokenizer.from_file(str(folder / "written/tokenizer.json"))
    others = [line for line in lines if tokenizer.encode(line["text"], add_special_tokens=False).ids != line["ids"]]
    decoded = [line for line in lines if line["decoded"] is not None and tokenizer.decode(line["ids"], skip_special_tokens=True) != line["decoded"]]
    print(f"{folder.name}: {len(others)} of {len(lines)} texts have other tokens, {len(decoded)} are decoded otherwise")
    for line in others[:4]:
        print("  ", repr(line["text"][:60]))
    for line in decoded[:2]:
        print("   decoded", repr(line["decoded"][:60]))
