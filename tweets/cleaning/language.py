"""Detect the language of a post by its script, or by the small words that every sentence needs.

If it isn't sure, it says nothing: three words, a name or a joke in two languages have no language, so no rule drops
them. It takes a few microseconds per post and needs no model.
"""

from __future__ import annotations

import re
from collections import Counter

from botfactory.words.translatable import mark
from tweets.common_words import language_of_words, words_of

#: The English name of each language.
NAMES = {
    "ar": mark("Arabic"),
    "bn": mark("Bengali"),
    "ca": mark("Catalan"),
    "cs": mark("Czech"),
    "da": mark("Danish"),
    "de": mark("German"),
    "el": mark("Greek"),
    "en": mark("English"),
    "es": mark("Spanish"),
    "fa": mark("Persian"),
    "fi": mark("Finnish"),
    "fr": mark("French"),
    "he": mark("Hebrew"),
    "hi": mark("Hindi"),
    "hu": mark("Hungarian"),
    "hy": mark("Armenian"),
    "id": mark("Indonesian"),
    "it": mark("Italian"),
    "ja": mark("Japanese"),
    "ka": mark("Georgian"),
    "ko": mark("Korean"),
    "nl": mark("Dutch"),
    "no": mark("Norwegian"),
    "pl": mark("Polish"),
    "pt": mark("Portuguese"),
    "ro": mark("Romanian"),
    "ru": mark("Russian"),
    "sv": mark("Swedish"),
    "ta": mark("Tamil"),
    "te": mark("Telugu"),
    "th": mark("Thai"),
    "tl": mark("Tagalog"),
    "tr": mark("Turkish"),
    "uk": mark("Ukrainian"),
    "ur": mark("Urdu"),
    "zh": mark("Chinese"),
}

#: Scripts that identify the language, or nearly. Text with kana is Japanese, whatever else it contains.
_SCRIPTS = (
    ("ja", re.compile("[\u3041-\u30fa]")),
    ("ko", re.compile("[\uac00-\ud7a3]")),
    ("zh", re.compile("[\u3400-\u9fff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("ar", re.compile("[\u0620-\u06ff]")),
    ("hi", re.compile("[\u0900-\u0963]")),
    ("el", re.compile("[\u0370-\u03ff\u1f00-\u1fff]")),
    ("he", re.compile("[\u05d0-\u05ea]")),
    ("th", re.compile("[\u0e01-\u0e4e]")),
    ("bn", re.compile("[\u0980-\u09ff]")),
    ("ta", re.compile("[\u0b80-\u0bff]")),
    ("te", re.compile("[\u0c00-\u0c7f]")),
    ("ka", re.compile("[\u10d0-\u10ff]")),
    ("hy", re.compile("[\u0531-\u0587]")),
)
_OTHER_SCRIPT = re.compile("[\u0370-\u1fff\u3041-\ud7a3]")
_UKRAINIAN = re.compile("[іїєґІЇЄҐ]")
_PERSIAN = re.compile("[پچژگ]")
_URDU = re.compile("[ٹڈڑےں]")
_MIN_LETTERS = 4  # of another script; fewer are ornaments or faces, such as ツ and д
_NO_WORDS = re.compile(r"https?://\S+|[@#＠]\w+")


def language_of(text: str) -> str | None:
    """Return the ISO 639-1 code of the text's language, or None if it isn't clear."""
    if not text.isascii():
        text = text.replace("’", "'")
        if _OTHER_SCRIPT.search(text):
            return _by_script(text)
    return _by_words(text)


class LanguageCount:
    """Count the languages of texts, if they are clear."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def count(self, text: str) -> None:
        language = language_of(text)
        if language:
            self._counts[language] += 1

    def most_common(self) -> list[tuple[str, int]]:
        """Return (language, texts), the most common first; equal ones by their code."""
        return sorted(self._counts.items(), key=lambda entry: (-entry[1], entry[0]))


def _by_script(text: str) -> str | None:
    text = _NO_WORDS.sub(" ", text)
    counts = {name: len(letters.findall(text)) for name, letters in _SCRIPTS}
    if counts["ja"]:  # half of a Japanese text is Chinese characters
        counts["ja"] += counts.pop("zh")
    language, most = max(counts.items(), key=lambda entry: entry[1])
    if most < _MIN_LETTERS:
        return _by_words(text)
    if most * 2 < sum(map(str.isalpha, text)):
        return None
    if language == "ru" and _UKRAINIAN.search(text):
        return "uk"
    if language == "ar":
        return "ur" if _URDU.search(text) else "fa" if _PERSIAN.search(text) else "ar"
    return language


def _by_words(text: str) -> str | None:
    lower = text.lower()
    if "#" in lower or "@" in lower or "://" in lower:
        lower = _NO_WORDS.sub(" ", lower)
    return language_of_words(set(words_of(lower)))
