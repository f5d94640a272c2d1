"""Texts for people have typographic apostrophes only, so that all pages look alike and a search finds every text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
STRAIGHT = re.compile(r"[^\W\d_]'[^\W\d_]|[^\W\d_]s'(?= )")
#: What marks a text for translation (docs/development.md).
MARKS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext", "mark", "counted_sentence"}
IN_TEMPLATES = re.compile(
    r"{%\s*(?:translate|trans)\s+\"([^\"]*)\"|_\(\"([^\"]*)\"\)|{%\s*blocktranslate\b.*?%}(.*?){%\s*endblocktranslate\s*%}",
    re.DOTALL,
)
IN_SCRIPTS = re.compile(r"\b(?:gettext|ngettext)\(((?:\s*(?:\"[^\"]*\"|`[^`]*`|'(?:[^'\\]|\\.)*')\s*,?)+)")


def of_python(source: str) -> Iterator[str]:
    """Yield the texts of Python code that are marked for translation."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in MARKS:
                values = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
                yield from (value for value in values if isinstance(value, str))


def of_template(source: str) -> Iterator[str]:
    for groups in IN_TEMPLATES.findall(source):
        # A variable's name may be quoted inside a tag.
        yield re.sub(r"{%.*?%}|{{.*?}}|<[^>]*>", "", "".join(groups))


def of_script(source: str) -> Iterator[str]:
    yield from IN_SCRIPTS.findall(source)


def texts() -> Iterator[tuple[str, str]]:
    """Yield each text for people with its file."""
    for app in ("botfactory", "tweets", "models_app", "publishing"):
        for path in (ROOT / app).rglob("*.py"):
            yield from ((path.relative_to(ROOT).as_posix(), text) for text in of_python(path.read_text("utf-8")))
    for path in (ROOT / "templates").rglob("*.*"):
        yield from ((path.relative_to(ROOT).as_posix(), text) for text in of_template(path.read_text("utf-8")))
    for path in (ROOT / "static" / "js").rglob("*.js"):
        yield from ((path.relative_to(ROOT).as_posix(), text) for text in of_script(path.read_text("utf-8")))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (of_python('_("It isn\'t.")\nlog("It isn\'t.")'), ["It isn't."]),
        (of_python('ngettext("a\'s", "b", n)'), ["a's", "b"]),
        (of_template('{% translate "It isn\'t." %}'), ["It isn't."]),
        (of_template("{% blocktranslate with a='b' %}It's <a class='x'>{{ a }}</a>{% endblocktranslate %}"), ["It's "]),
        (of_script('gettext("It\'s.") + ngettext("a", "b")'), ['"It\'s."', '"a", "b"']),
    ],
)
def test_it_finds_the_texts(found: Iterator[str], expected: list[str]) -> None:
    assert list(found) == expected


def test_texts_for_people_have_no_straight_apostrophe() -> None:
    every = list(texts())
    assert len(every) > 1500
    assert [(name, text) for name, text in every if STRAIGHT.search(text)] == []
