"""Read the paragraphs of Mallard pages (the format of GNOME's user documentation)."""

from pathlib import Path

from lxml import etree

BLOCKS = {"p", "title", "desc"}
SKIPPED = {"screen", "comment", "credit", "revision", "license", "include"}


def _name(element):
    return etree.QName(element).localname if isinstance(element.tag, str) else None


def _squeeze(text):
    return " ".join(text.split())


def page_titles(directory: Path) -> dict[str, str]:
    """Map `page` and `page#section` identifiers to their titles, for empty links."""
    titles = {}
    for path in sorted(directory.glob("*.page")):
        root = etree.parse(str(path)).getroot()
        page = root.get("id")
        for element in root.iter("{*}page", "{*}section"):
            title = element.find("{*}title")
            if title is None:
                continue
            key = page if _name(element) == "page" else f"{page}#{element.get('id')}"
            titles[key] = _squeeze("".join(title.itertext()))
    return titles


def _inline(element, titles, page):
    """The text of an inline tree as a reader of the page sees it, None if unresolvable."""
    separator = {"guiseq": " ▸ ", "keyseq": "+"}.get(_name(element))
    if separator:
        parts = [_inline(child, titles, page) for child in element if _name(child)]
        return None if None in parts else separator.join(_squeeze(part) for part in parts)
    if _name(element) == "link" and not len(element) and not (element.text or "").strip():
        target = element.get("xref") or ""
        return titles.get(f"{page}{target}" if target.startswith("#") else target)
    pieces = [element.text or ""]
    for child in element:
        if _name(child):
            text = _inline(child, titles, page)
            if text is None:
                return None
            pieces.append(text)
        pieces.append(child.tail or "")
    return "".join(pieces)


def _blocks(element, inside_info=False):
    for child in element:
        name = _name(child)
        if name is None or name in SKIPPED:
            continue
        if name == "code" or (inside_info and name != "desc"):
            continue
        if name in BLOCKS:
            yield child
        else:
            yield from _blocks(child, inside_info or name == "info")


def read_page(path: Path, titles: dict[str, str]) -> list[str]:
    """The paragraphs of one page in reading order (the title before the description)."""
    root = etree.parse(str(path)).getroot()
    blocks = list(_blocks(root))
    if [_name(block) for block in blocks[:2]] == ["desc", "title"]:
        blocks[:2] = reversed(blocks[:2])
    paragraphs = []
    for block in blocks:
        text = _inline(block, titles, root.get("id"))
        if text is not None and text.strip():
            paragraphs.append(_squeeze(text))
    return paragraphs


def read_guides(directory: Path) -> dict[str, list[str]]:
    """All pages of all guides below one language's help directory."""
    pages = {}
    for guide in sorted(entry for entry in directory.iterdir() if entry.is_dir()):
        titles = page_titles(guide)
        for path in sorted(guide.glob("*.page")):
            pages[f"{guide.name}/{path.stem}"] = read_page(path, titles)
    return pages
