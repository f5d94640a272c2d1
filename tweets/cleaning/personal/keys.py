"""Find keys: API tokens of well-known shapes, private keys, passwords that are named as such, long random strings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

#: How tokens of well-known services begin, and what follows.
_SHAPES: Final = {
    "sk-": r"sk-(?:[a-z]{2,8}\d{0,2}-)*[A-Za-z0-9_-]{20,}",  # OpenAI, Anthropic
    "k_live_": r"[sr]k_live_[A-Za-z0-9]{16,}",  # Stripe
    "k_test_": r"[sr]k_test_[A-Za-z0-9]{16,}",
    "gh": r"gh[pousr]_[A-Za-z0-9]{30,}",  # GitHub
    "github_pat_": r"github_pat_[A-Za-z0-9_]{30,}",
    "glpat-": r"glpat-[A-Za-z0-9_-]{20,}",  # GitLab
    "AKIA": r"AKIA[A-Z0-9]{16}",  # Amazon
    "ASIA": r"ASIA[A-Z0-9]{16}",
    "AIza": r"AIza[A-Za-z0-9_-]{35}",  # Google
    "ya29.": r"ya29\.[A-Za-z0-9_-]{20,}",
    "xox": r"xox[abeoprs]-[A-Za-z0-9-]{10,}",  # Slack
    "xapp-": r"xapp-[A-Za-z0-9-]{20,}",
    "hooks.slack.com": r"hooks\.slack\.com/services/[A-Za-z0-9/_-]{20,}",
    "hf_": r"hf_[A-Za-z0-9]{30,}",  # Hugging Face
    "npm_": r"npm_[A-Za-z0-9]{30,}",
    "pypi-": r"pypi-[A-Za-z0-9_-]{40,}",
    "SG.": r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",  # SendGrid
    "eyJ": r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*)?",  # a JSON Web Token
    "bf_": r"bf_[A-Za-z0-9_-]{20,}",  # ours
    "whsec_": r"whsec_[A-Za-z0-9+/=_-]{20,}",
}
_SHAPED: Final = [(begin, re.compile(rf"(?<![A-Za-z0-9_-]){shape}")) for begin, shape in _SHAPES.items()]
_BLOCK = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:(?!-----END)[\s\S])*+(?:-----END [A-Z ]{0,30}KEY-----)?"
)
_NAMED = re.compile(
    r"\b(?:pass(?:word|wort|code|phrase|wd)?|kennwort|pwd|pin|api[ _-]?key|secret|token)\s?[:=]\s{0,2}"
    r"[\"'“”‘’]?([^\s\"'“”‘’,;]{4,64})",
    re.IGNORECASE,
)
_NAMES: Final = ("pass", "kennwort", "pwd", "pin", "key", "secret", "token")
_LONG = re.compile(r"(?<![\w+/=#@＠.-])[A-Za-z0-9_+/-]{24,}+={0,2}(?![\w+/=@＠.-]*[\w@＠])")
_RUN = re.compile(r"[A-Za-z]+|\d+")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]{32,}")
_MIN_DIGITS: Final = 3
_MIN_DIFFERENT: Final = 14
#: "FromThisDayOn2024" has two runs of letters or digits. A random string has many.
_MIN_RUNS: Final = 5
_SHORTEST: Final = 24


def keys(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each key."""
    for begin, shape in _SHAPED:
        if begin in text:
            for found in shape.finditer(text):
                yield found.span()
    if "PRIVATE KEY" in text:
        for found in _BLOCK.finditer(text):
            yield found.span()
    if may_name_a_key(text):
        for found in _NAMED.finditer(text):
            if _is_mixed(found[1]):
                yield found.span(1)


def has_token(text: str) -> bool:
    """Return whether the text has a token of a well-known service."""
    return any(begin in text and shape.search(text) is not None for begin, shape in _SHAPED)


def may_name_a_key(text: str) -> bool:
    """Return whether the text may say that something is a password or a key."""
    return (":" in text or "=" in text) and any(map(text.lower().__contains__, _NAMES))


def long_strings(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each long string that looks random. Those in links and hashtags are none."""
    if len(text) >= _SHORTEST and max(map(len, text.split()), default=0) >= _SHORTEST:
        for found in _LONG.finditer(text):
            if _is_random(found.group()):
                yield found.span()


def _is_mixed(word: str) -> bool:
    """Return whether a word can't be one that people just say after "password:"."""
    return any(map(str.isdigit, word)) and not word.startswith(("http", "@", "#"))


def _is_random(word: str) -> bool:
    if _HEX.fullmatch(word):
        return len(set(word.lower())) >= 8
    is_mixed = any(map(str.islower, word)) and any(map(str.isupper, word))
    return (
        is_mixed
        and sum(map(str.isdigit, word)) >= _MIN_DIGITS
        and len(set(word)) >= _MIN_DIFFERENT
        and len(_RUN.findall(word)) >= _MIN_RUNS
    )
