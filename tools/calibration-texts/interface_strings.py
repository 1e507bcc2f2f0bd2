"""Read the translated strings of LibreOffice's and Firefox's interfaces, each with its English source."""

import json
import re
import struct
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from fluent.syntax import ast, parse


class Translation(NamedTuple):
    """A string, its English source and the group of strings that it belongs to."""

    page: str
    english: str
    text: str


ENGLISH_CODE = "en-US"
PRODUCT = re.compile(r"%PRODUCTNAME")
# Placeholders, markup and keyboard accelerators: what remains of these strings without them is no text.
UNUSABLE = re.compile(r"[%$~_{}<>|\\\0\t]|&\w+;|#\w")
TAG = re.compile(r"</?[a-z]+(?: [^<>]*)?/?>")


def _catalogue(path: Path) -> dict[str, str]:
    """A gettext .mo file: context, EOT and English → translation."""
    data = path.read_bytes()
    magic, _, count, originals, translations = struct.unpack_from("<5I", data)
    assert magic == 0x950412DE, path

    def text(table: int, index: int) -> str:
        length, start = struct.unpack_from("<2I", data, table + 8 * index)
        return data[start : start + length].decode("utf-8")

    return {text(originals, i): text(translations, i) for i in range(count)}


def read_libreoffice(folder: Path) -> list[Translation]:
    """All strings of a language's folder below program/resource, in the order of their contexts."""
    found = []
    for path in sorted((folder / "LC_MESSAGES").glob("*.mo")):
        for key, text in sorted(_catalogue(path).items()):
            context, _, english = key.rpartition("\x04")
            text, english = (PRODUCT.sub("LibreOffice", part) for part in (text, english))
            if english and not UNUSABLE.search(text) and not UNUSABLE.search(english):
                found.append(Translation(f"{path.stem}/{context.split('|')[0]}", english, text))
    return found


def _flatten(pattern: ast.Pattern | None, terms: dict[str, str]) -> str | None:
    """The text of a Fluent pattern with the names of products filled in; None where it depends on a variable."""
    if pattern is None:
        return None
    pieces = []
    for element in pattern.elements:
        if isinstance(element, ast.TextElement):
            pieces.append(element.value)
            continue
        expression = element.expression
        if isinstance(expression, ast.StringLiteral):
            pieces.append(expression.parse()["value"])
        elif isinstance(expression, ast.TermReference) and not expression.arguments and expression.id.name in terms:
            pieces.append(terms[expression.id.name])
        else:
            return None
    return TAG.sub("", "".join(pieces))


def _messages(files: dict[str, str]) -> dict[tuple[str, str], str]:
    """(page, file and identifier) → text, of Fluent files by their path."""
    resources = {path: parse(text).body for path, text in sorted(files.items())}
    terms: dict[str, str] = {}
    for body in resources.values():
        for entry in body:
            if isinstance(entry, ast.Term):
                value = _flatten(entry.value, terms)
                if value is not None:
                    terms.setdefault(entry.id.name, value)
    found = {}
    for path, body in resources.items():
        for entry in body:
            if not isinstance(entry, ast.Message):
                continue
            name = entry.id.name
            page = f"{path.removesuffix('.ftl')}/{name.split('-')[0]}"
            values = {"": entry.value, **{f".{a.id.name}": a.value for a in entry.attributes}}
            for attribute, pattern in values.items():
                text = _flatten(pattern, terms)
                if text:
                    found[page, f"{path}/{name}{attribute}"] = text
    return found


def _fluent_files(archives: list[Path], code: str) -> dict[str, str]:
    marker = f"localization/{code}/"
    files = {}
    for path in archives:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".ftl") and marker in name:
                    files[name.split(marker, 1)[1]] = archive.read(name).decode("utf-8")
    return files


def read_firefox(program: Path) -> dict[str, list[Translation]]:
    """The strings of each language pack below Firefox's folder, by the pack's language; English among them."""
    packs = {}
    for path in sorted((program / "browser/extensions").glob("langpack-*.xpi")):
        with zipfile.ZipFile(path) as archive:
            code = json.loads(archive.read("manifest.json"))["langpack_id"]
        packs[code] = [path]
    packs[ENGLISH_CODE] = [program / "omni.ja", program / "browser/omni.ja"]
    english = _messages(_fluent_files(packs[ENGLISH_CODE], ENGLISH_CODE))
    found: dict[str, list[Translation]] = defaultdict(list)
    for code, archives in packs.items():
        for (page, name), text in sorted(_messages(_fluent_files(archives, code)).items()):
            source = english.get((page, name))
            if source and not UNUSABLE.search(text) and not UNUSABLE.search(source):
                found[code].append(Translation(page, source, text))
    return dict(found)
