"""Turn unpacked Debian help packages into clean pages, one JSONL file a language.

    python extract.py --root UNPACKED --out state/pages

`UNPACKED` is where `dpkg -x` put the packages. Every output line is
{"source", "page", "paragraphs"}.
"""

import argparse
import json
from pathlib import Path

from clean import is_running_text, is_translated, key, normalise
from languages import BY_CODE, LANGUAGES, Language
from lohelp import read_help
from mallard import read_guides

GNOME = "gnome-user-docs"
LIBREOFFICE = "libreoffice-help"


def read_sources(root: Path, language: Language) -> dict[tuple[str, str], list[str]]:
    """All raw pages of a language, keyed by (source, page)."""
    share = root / "usr/share"
    pages = {(GNOME, p): t for p, t in read_guides(share / "help" / language.gnome).items()}
    if language.libreoffice:
        lo = read_help(share / "libreoffice/help" / language.libreoffice)
        pages.update({(LIBREOFFICE, p): t for p, t in lo.items()})
    return {where: [normalise(text) for text in texts] for where, texts in pages.items()}


def main():
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    english_pages = read_sources(arguments.root, BY_CODE["en"])
    english = {key(text) for texts in english_pages.values() for text in texts}
    for language in LANGUAGES:
        pages = english_pages if language.code == "en" else read_sources(arguments.root, language)
        size = 0
        with open(arguments.out / f"{language.code}.jsonl", "w", encoding="utf-8") as out:
            for (source, page), texts in sorted(pages.items()):
                kept = [
                    text
                    for text in texts
                    if is_running_text(text, language) and is_translated(text, language, english)
                ]
                if kept:
                    record = {"source": source, "page": page, "paragraphs": kept}
                    out.write(json.dumps(record, ensure_ascii=False) + "\n")
                    size += sum(len(text.encode()) + 1 for text in kept)
        print(f"{language.code}: {size} bytes", flush=True)


if __name__ == "__main__":
    main()
