"""Decide which paragraphs are running text of the language they are filed under."""

import re
import unicodedata
from functools import lru_cache

from languages import Language

MARKUP = re.compile(r"</?[a-z]+[^>]*>|&[a-z]+;|\{\{|\}\}|https?://|\ufffd")
ENGLISH = frozenset(
    "the of to and is are in that this with for you your can be will not or from by on it if when"
    " which use select click choose enter value cell text file".split()
)
WORD = re.compile(r"[a-z]+")
MINIMUM_LETTERS = 6
MINIMUM_LETTERS_CJK = 3


@lru_cache(maxsize=None)
def _letter_script(character: str) -> str | None:
    """The first word of a letter's Unicode name, None for anything but letters and marks."""
    if unicodedata.category(character)[0] not in "LM":
        return None
    return unicodedata.name(character, "UNKNOWN").split(" ")[0].split("-")[0]


def normalise(text: str) -> str:
    """NFC, soft hyphens and zero-width spaces removed, one space between words."""
    text = unicodedata.normalize("NFC", text).replace("\u00ad", "").replace("\u200b", "")
    return " ".join(text.split())


def key(text: str) -> str:
    """What two paragraphs are compared by."""
    return "".join(c for c in text.casefold() if c.isalnum())


def _looks_english(text: str) -> bool:
    words = WORD.findall(text.lower())
    hits = sum(word in ENGLISH for word in words)
    return hits >= 3 and hits / max(len(words), 1) > 0.25


def is_running_text(text: str, language: Language) -> bool:
    """Enough letters, in the language's own script, without markup."""
    if MARKUP.search(text):
        return False
    scripts = [script for script in map(_letter_script, text) if script]
    own = sum(script in language.scripts for script in scripts)
    minimum = MINIMUM_LETTERS_CJK if "CJK" in language.scripts else MINIMUM_LETTERS
    dense = len(scripts) >= 0.6 * len(text.replace(" ", ""))
    share = 0.9 if "LATIN" in language.scripts else 0.5
    return own >= minimum and dense and own >= share * len(scripts)


def is_translated(text: str, language: Language, english: set[str]) -> bool:
    """False for paragraphs left in English."""
    if language.code == "en":
        return True
    if key(text) in english:
        return False
    return not ("LATIN" in language.scripts and _looks_english(text))
