"""The languages of the controlled model: where their text lies and how much they get.

`share` is the planned fraction of training sequences (every sequence has the
same number of tokens, so it is also the fraction of tokens). `script` is the
Unicode name prefix of the letters the language is written in.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    """One language of the mixture."""

    code: str
    gnome: str
    libreoffice: str | None
    scripts: tuple[str, ...]
    share: float


LANGUAGES = (
    Language("en", "C", "en-US", ("LATIN",), 0.400),
    Language("zh-Hans", "zh_CN", "zh-CN", ("CJK",), 0.170),
    Language("fr", "fr", "fr", ("LATIN",), 0.125),
    Language("es", "es", "es", ("LATIN",), 0.095),
    Language("pt", "pt", "pt", ("LATIN",), 0.075),
    Language("ru", "ru", "ru", ("CYRILLIC",), 0.029),
    Language("de", "de", "de", ("LATIN",), 0.027),
    Language("id", "id", "id", ("LATIN",), 0.024),
    Language("vi", "vi", "vi", ("LATIN",), 0.017),
    Language("ja", "ja", "ja", ("CJK", "HIRAGANA", "KATAKANA"), 0.012),
    Language("fa", "fa", None, ("ARABIC",), 0.007),
    Language("ta", "ta", None, ("TAMIL",), 0.006),
    Language("mr", "mr", None, ("DEVANAGARI",), 0.005),
    Language("gu", "gu", None, ("GUJARATI",), 0.003),
    Language("as", "as", None, ("BENGALI",), 0.003),
    Language("te", "te", None, ("TELUGU",), 0.002),
)

BY_CODE = {language.code: language for language in LANGUAGES}

assert abs(sum(language.share for language in LANGUAGES) - 1) < 1e-9
