"""No "1 posts": a text with a number has a singular and a plural (`ngettext`, `counted_sentence`, `{% plural %}`)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
THINGS = (
    "posts|jobs|bots|models|corpora|characters|epochs|trainings|copies|files|columns|rows|lines|words|times|tries|"
    "minutes|seconds|hours|days|requests|webhooks|tokens|places|people|accounts|codes|items"
)
#: A value, then a noun: `{n:,} new posts`, `{{ n }} posts`, `${n} posts`.
WRITTEN = re.compile(rf"\{{([^{{}}]+)\}}\}}? (?:new |real |waiting |running )?(?:{THINGS})\b")
#: Constants need no choice, nor do numbers that were compared with 1. Fractions are plural ("1.0 minutes").
FIXED = re.compile(
    r"^(?:settings\.)?[A-Z_]{4,}[:, /0-9]*$|\.\d?f|floatformat|toFixed|^most|^longest|^days$|total_seconds|rounds"
)
#: Both forms are there.
WITH_PLURAL = re.compile(r"\{% blocktranslate [^%]*\bcount .*?\{% endblocktranslate %\}", re.DOTALL)
#: Files that can't import a helper: the learning core.
WITHOUT_HELPER = ROOT / "models_app" / "ml"
FILES = [
    *(
        path
        for app in ("botfactory", "tweets", "models_app", "publishing")
        for path in (ROOT / app).rglob("*.py")
        if WITHOUT_HELPER not in path.parents
    ),
    *(ROOT / "templates").rglob("*.html"),
    *(ROOT / "static" / "js").glob("*.js"),
]


def told_as_many(text: str) -> list[str]:
    return [found[0] for found in WRITTEN.finditer(WITH_PLURAL.sub("", text)) if not FIXED.search(found[1])]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('f"{len(found)} posts"', 1),
        ('f"{new:,} new posts"', 1),
        ("{{ corpus.posts|intcomma:False }} posts so far", 1),
        ("`${count(total)} posts`", 1),
        ("f\"{counted(new, 'new post')} so far\"", 0),
        ('{{ corpus.posts|counted:"post" }} so far', 0),
        ('`${plural(total, "post")}`', 0),
        ("{% blocktranslate count n=n %}{{ n }} post{% plural %}{{ n }} posts{% endblocktranslate %}", 0),
        ("{% blocktranslate with n=n %}{{ n }} posts{% endblocktranslate %}", 1),
        ('f"at most {LONGEST_NAME} characters"', 0),
    ],
)
def test_it_finds_numbers_that_are_always_told_as_many(text: str, count: int) -> None:
    assert len(told_as_many(text)) == count


def test_one_of_something_is_never_told_as_many() -> None:
    assert len(FILES) > 250
    found = {path.relative_to(ROOT).as_posix(): told_as_many(path.read_text(encoding="utf-8")) for path in FILES}
    assert {path: numbers for path, numbers in found.items() if numbers} == {}
