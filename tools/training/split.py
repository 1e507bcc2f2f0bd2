"""Split pages into train, validation and heldout sets and write the shipped texts.

    python split.py --pages state/pages --state state/train --texts ../../datasets/controlled-texts

A page's set depends on its source and name only, so the same pages are held out
in every language. A paragraph that occurs on a training page is removed from
the other two sets; a long paragraph is kept once within a set (help pages
embed each other).

The training text of a language of `LARGE` or more is cut so that training reads
it about six times: a small network learns more of a language from six readings
than from one reading of six times the text. Smaller languages keep all their
text, and training reads a part of it.
"""

import argparse
import hashlib
import json
import random
from pathlib import Path

from clean import key
from languages import LANGUAGES

SEED = 20240404
HELDOUT = {"gnome-user-docs": 0.20, "libreoffice-help": 0.08}
VALIDATION = {"gnome-user-docs": 0.12, "libreoffice-help": 0.06}
LIMITS = {"calibration": 600_000, "validation": 120_000, "heldout": 200_000}
LARGE = 0.03
CORPUS_BYTES = 11_000_000
LONG = 30
SHORTEST_DOCUMENT = 100
UNRESOLVED = " not found]"


def page_set(source: str, page: str) -> str:
    """The set a page belongs to, from a hash of its name."""
    digest = hashlib.sha256(f"{source}/{page}".encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    if position < HELDOUT[source]:
        return "heldout"
    return "validation" if position < HELDOUT[source] + VALIDATION[source] else "train"


def split_pages(pages: list[dict]) -> dict[str, list[dict]]:
    """Documents by set, with paragraphs repeated across sets or pages removed."""
    seen: set[str] = set()
    result = {}
    for name in ("train", "validation", "heldout"):
        earlier = frozenset(seen)
        documents = []
        for page in pages:
            if page_set(page["source"], page["page"]) != name:
                continue
            kept = []
            for text in page["paragraphs"]:
                fingerprint = key(text)
                if fingerprint in earlier or (len(fingerprint) >= LONG and fingerprint in seen):
                    continue
                seen.add(fingerprint)
                kept.append(text)
            text = "\n".join(kept)
            if len(text.encode()) >= SHORTEST_DOCUMENT:
                documents.append({"text": text, "source": page["source"], "page": page["page"]})
        result[name] = documents
    return result


def sample(documents: list[dict], limit: float, seed: str) -> list[dict]:
    """Documents in a seeded order up to `limit` bytes, half of it from each source if it can.

    Pages on which LibreOffice's generator left an unresolved include are left out.
    """
    order = [d for d in documents if UNRESOLVED not in d["text"]]
    order.sort(key=lambda d: (d["source"], d["page"]))
    random.Random(seed).shuffle(order)
    shared = _take([d for d in order if d["source"] == "gnome-user-docs"], limit / 2)
    used = sum(len(d["text"].encode()) for d in shared)
    others = _take([d for d in order if d["source"] != "gnome-user-docs"], limit - used)
    if not others:
        return _take(order, limit)
    mixed = shared + others
    random.Random(seed).shuffle(mixed)
    return mixed


def _take(documents: list[dict], limit: float) -> list[dict]:
    taken, used = [], 0
    for document in documents:
        size = len(document["text"].encode())
        if used + size <= limit:
            taken.append(document)
            used += size
    return taken


def write_jsonl(path: Path, documents: list[dict]) -> None:
    """One JSON object a line, characters unescaped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        for document in documents:
            out.write(json.dumps(document, ensure_ascii=False) + "\n")


def write_manifest(path: Path, kind: str) -> None:
    """The YAML manifest that names one file a language."""
    lines = [
        f"name: controlled-texts {kind}",
        "license: CC-BY-SA-3.0 (gnome-user-docs) and MPL-2.0 (libreoffice-help); see NOTICE.md",
        "field: text",
        "languages:",
        *(f"  {language.code}: {kind}/{language.code}.jsonl" for language in LANGUAGES),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--texts", type=Path, required=True)
    arguments = parser.parse_args()
    for language in LANGUAGES:
        lines = (arguments.pages / f"{language.code}.jsonl").read_text(encoding="utf-8")
        sets = split_pages([json.loads(line) for line in lines.splitlines()])
        limit = language.share * CORPUS_BYTES if language.share >= LARGE else float("inf")
        sets["train"] = sample(sets["train"], limit, f"{SEED}/train/{language.code}")
        write_jsonl(arguments.state / f"{language.code}.jsonl", sets["train"])
        sizes = [sum(len(d["text"].encode()) for d in sets["train"])]
        for kind, limit in LIMITS.items():
            origin = sets["train" if kind == "calibration" else kind]
            documents = sample(origin, limit, f"{SEED}/{kind}/{language.code}")
            write_jsonl(arguments.texts / kind / f"{language.code}.jsonl", documents)
            sizes.append(sum(len(d["text"].encode()) for d in documents))
        print(language.code, "train/calibration/validation/heldout bytes:", *sizes)
    for kind in LIMITS:
        write_manifest(arguments.texts / f"{kind}.yaml", kind)


if __name__ == "__main__":
    main()
