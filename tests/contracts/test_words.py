"""The product speaks plain modern English: no phrase that nobody would say to a colleague (docs/development.md)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
#: What people read: pages, scripts, messages, docs, docstrings and comments. Tests are sentences of their own.
PLACES = ("botfactory", "tweets", "models_app", "publishing", "templates", "static/js", "docs", "benchmarks")
FILES = ("README.md", "CHANGELOG.md", "SECURITY.md", "Dockerfile", "Makefile", "docker-compose.yml", ".env.example")
ENDINGS = {".py", ".html", ".txt", ".js", ".md", ".yml", ".example", ""}
#: Phrases, and words that have a plain twin. Each is searched with any white space between its words.
PHRASES = (
    "are the least",
    "How do you bring",
    "is it a table with",
    "likest",
    "likelier than not",
    "What was a link",
    "opens nothing",
    "switch off what refuses",
    "classifier of spelling",
    "would come out otherwise",
    "whatever its name, and does not begin",
    "The line to the server",
    "goes on by itself",
    "What programs can ask",
    "was the base model when",
    "Who meets a limit",
    "everybody who is to know",
    "makes of a row",
    "those who wait for something else",
    "what stands",
    "is told which",
    "comes to nothing",
    "so many of",
    "has learned of",
    "bits a character",
    "nats a byte",
    "characters a second",
    "bytes a second",
    "a post a line",
    "for the small words that",
    "it is known whose",
    "nothing tells whose",
)


def texts() -> dict[str, str]:
    paths = [*(path for place in PLACES for path in (ROOT / place).rglob("*")), *(ROOT / name for name in FILES)]
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in paths
        if path.suffix in ENDINGS and path.is_file() and "migrations" not in path.parts
    }


def searched(phrase: str) -> re.Pattern[str]:
    """The phrase, also over the end of a line, of a comment's line or of a string's."""
    return re.compile(r"[\s\"'#/*]+".join(re.escape(word) for word in phrase.split()), re.IGNORECASE)


@pytest.mark.parametrize("text", ["bits a character", "Bits a\n    # character", 'f"bits "\n        "a character"'])
def test_a_phrase_is_found_over_the_end_of_a_line(text: str) -> None:
    assert searched("bits a character").search(text)


def test_nobody_is_told_what_stands_where() -> None:
    assert len(texts()) > 400
    found = {
        f"{name}: {phrase}" for name, text in texts().items() for phrase in PHRASES if searched(phrase).search(text)
    }
    assert found == set()


def test_limits_have_the_usual_names() -> None:
    """Constants for limits start with MAX_, MIN_ or DEFAULT_, as anywhere else."""
    odd = re.compile(r"\b_?(?:MOST|FEWEST|USUAL|LEAST)_[A-Z]\w*")
    found = {name: odd.findall(text) for name, text in texts().items() if name.endswith(".py")}
    assert len(found) > 300
    assert {name: names for name, names in found.items() if names} == {}
