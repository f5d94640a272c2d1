"""Scripts show no text that can't be translated."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SCRIPTS = sorted(Path("static/js").glob("*.js"))

LITERAL = r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|`(?:[^`\\]|\\.)*`'
#: The literals in a call of gettext or ngettext. Numbers and conditions may follow them.
TRANSLATED = re.compile(rf"\bn?gettext\(\s*(?:{LITERAL})(?:,\s*(?:{LITERAL}))?")
COMMENT = re.compile(r"/\*.*?\*/|(?<![:\"'])//[^\n]*", re.DOTALL)
#: What puts a text on the page, up to the text.
SHOWN = re.compile(
    r"(?:\.(?:textContent|innerText|innerHTML|title|ariaLabel|placeholder|alt)\s*=\s*"
    r"|setAttribute\(\s*\"(?:aria-[a-z]+|title|placeholder|alt)\",\s*"
    r"|\b(?:setText|announce|note|say|failed)\((?:[^()\"'`]|\([^()]*\))*?)"
    rf"({LITERAL})"
)
EXPRESSION = re.compile(r"\$\{(?:[^{}]|\{[^{}]*\})*\}")
#: Names of fonts, and the message of an error that is always caught.
NOT_SHOWN = ("12px ui-monospace", "outside of the ZIP")


def untranslated(script: str) -> list[str]:
    """Return the texts of a script that people would read only in English."""
    rest = TRANSLATED.sub("gettext(", COMMENT.sub("", script))
    shown = [text for text in SHOWN.findall(rest) if re.search(r"[A-Z]|\w \w", EXPRESSION.sub("", text))]
    sentences = [
        text for text in re.findall(LITERAL, rest) if re.search(r"[A-Z].* |\w .*[A-Z]", EXPRESSION.sub("", text))
    ]
    return [text for text in {*shown, *sentences} if not text[1:-1].startswith(NOT_SHOWN)]


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) > 20


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_every_text_of_a_script_goes_through_gettext(script: Path) -> None:
    assert untranslated(script.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("script", sorted(Path("static/js").rglob("*.js")), ids=lambda script: script.name)
def test_scripts_write_decimals_by_the_helpers_that_know_the_language(script: Path) -> None:
    assert not re.search(r"\.(toFixed|toPrecision)\(", script.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "line",
    [
        'node.textContent = "Nothing yet";',
        "node.title = 'Open';",
        "setText(byId('where'), `Epoch ${epoch}`);",
        'chart.setAttribute("aria-label", "Losses");',
        'return isDone ? gettext("Done") : "Not done";',
    ],
)
def test_a_text_outside_of_gettext_is_found(line: str) -> None:
    assert untranslated(line)


def test_translated_texts_names_and_comments_pass() -> None:
    script = """
    // Says "Nothing Yet" to nobody.
    setText(byId("where"), ngettext("%(n)s Post here", "%(n)s Posts here", count));
    node.textContent = gettext("Nothing Yet");
    headers["Content-Type"] = "text/plain";
    """
    assert untranslated(script) == []
