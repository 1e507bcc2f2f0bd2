"""Read the paragraphs of LibreOffice's offline help (generated HTML pages)."""

from pathlib import Path

from lxml import html

BLOCKS = {"p", "h1", "h2", "h3", "h4", "h5", "h6"}
SKIPPED_TAGS = {"pre", "script", "style", "nav", "button", "img", "svg", "video"}
SKIPPED_CLASSES = {
    *("bascode", "pycode", "sqlcode", "code", "codeindent"),
    *("relatedtopics", "related", "howtoget", "noteicon", "iconcell"),
}


def _classes(element):
    return set((element.get("class") or "").split())


def _inline(element):
    """The text a reader sees; of system or module variants only the default one."""
    if _classes(element) & {"switch", "switchinline"}:
        variants = [child for child in element if isinstance(child.tag, str)]
        chosen = [v for v in variants if (v.get("id") or "").startswith("default")] or variants[:1]
        return "".join(_inline(variant) for variant in chosen)
    pieces = [element.text or ""]
    for child in element:
        if isinstance(child.tag, str) and child.tag not in SKIPPED_TAGS:
            pieces.append(" " if child.tag == "br" else _inline(child))
        pieces.append(child.tail or "")
    return "".join(pieces)


def _blocks(element):
    for child in element:
        if not isinstance(child.tag, str) or child.tag in SKIPPED_TAGS:
            continue
        if _classes(child) & SKIPPED_CLASSES:
            continue
        if child.tag in BLOCKS:
            yield child
        else:
            yield from _blocks(child)


def read_page(path: Path) -> list[str]:
    """The paragraphs of one help page in reading order."""
    area = html.parse(str(path), html.HTMLParser(encoding="utf-8")).getroot()
    found = area.xpath('//div[@id="DisplayArea"]')
    texts = (" ".join(_inline(block).split()) for block in _blocks(found[0])) if found else ()
    return [text for text in texts if text]


def read_help(directory: Path) -> dict[str, list[str]]:
    """All pages of one language's help; names are paths below `text/` without suffix."""
    root = directory / "text"
    return {
        str(path.relative_to(root).with_suffix("")): read_page(path)
        for path in sorted(root.rglob("*.html"))
    }
