"""Each text of a template, for a page or a mail, is translatable: it is in `translate` or `blocktranslate`."""

from __future__ import annotations

import ast
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.template.base import Lexer, Token, TokenType
from django.utils.functional import Promise

from botfactory.words.translatable import Sentence
from models_app.ml.errors import Said

TEMPLATES = Path(settings.BASE_DIR) / "templates"
#: Attributes that people read or hear.
READ = {"alt", "aria-label", "aria-description", "aria-roledescription", "label", "placeholder", "title"}
#: Their value is their text.
BUTTONS = {"submit", "reset", "button"}
#: A name, not a word.
NAMES = re.compile(r"Bot Factory|sha256|@name")
LETTERS = re.compile(r"[^\W\d_]{2,}")
#: A text as an argument: {% include … with title="Delete?" %}, {{ value|default:"nothing" }}, {% firstof a "b" %}.
ARGUMENT = re.compile(
    r"""(?:\w+=|\|(?:default|default_if_none|yesno|counted|pluralize|add):|firstof .*(?<!_\())"([^"]*)\""""
)


class Reader(HTMLParser):
    """Collects what is read of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.silent += tag in {"script", "style", "code"}
        values = {name: value or "" for name, value in attributes}
        read = READ | ({"value"} if tag == "input" and values.get("type") in BUTTONS else set())
        self.found += [value for name, value in values.items() if name in read]

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in {"script", "style", "code"}

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.found.append(data)


def untranslatable(source: str) -> list[str]:
    """Return what would be read in English in every language."""
    rest, found, skipped_until = "", [], ""
    for token in Lexer(source).tokenize():
        word = token.contents.split()[0] if token.token_type == TokenType.BLOCK else ""
        if skipped_until:
            skipped_until = "" if word == skipped_until else skipped_until
        elif word in {"comment", "blocktranslate"}:
            skipped_until = f"end{word}"
        elif token.token_type == TokenType.TEXT:
            rest += token.contents
        elif token.token_type in {TokenType.VAR, TokenType.BLOCK}:
            rest += "0" if token.token_type == TokenType.VAR else ""
            found += arguments(token)
    reader = Reader()
    reader.feed(rest)
    reader.close()
    return [text.strip() for text in (*found, *reader.found) if LETTERS.search(NAMES.sub("", text))]


def arguments(token: Token) -> list[str]:
    """Return the texts that are passed on as they are, without `_("…")`: those with a space or a capital."""
    if token.contents.startswith(("translate ", "url ", "load ", "extends ", "static ")):
        return []
    return [text for text in ARGUMENT.findall(token.contents) if re.search(r"[A-Z ]", text.strip())]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>Hello</p>", ["Hello"]),
        ('<p>{% translate "Hello" %} {{ name }}: 5 %</p>', []),
        ("{% blocktranslate %}Hello <b>{{ name }}</b>{% endblocktranslate %}", []),
        ("{% comment %}Hello{% endcomment %}{# Hello #}", []),
        ("{% if a %}Hello{% endif %}", ["Hello"]),
        ('<input placeholder="by chance" value="en"><button aria-label="Copy"></button>', ["by chance", "Copy"]),
        ('<input type="submit" value="Save">', ["Save"]),
        ('{% include "a.html" with title="Delete?" way="file" text=_("Gone.") %}', ["Delete?"]),
        ('{{ retry|default:"Try again" }}', ["Try again"]),
        ("<script>const word = 1;</script><code>manage.py</code>Bot Factory", []),
    ],
)
def test_it_finds_texts_that_would_stay_english(source: str, found: list[str]) -> None:
    assert untranslatable(source) == found


def test_each_text_of_a_template_is_translatable() -> None:
    files = {path.relative_to(TEMPLATES).as_posix(): path for path in TEMPLATES.rglob("*.*")}
    assert len(files) > 90
    found = {name: untranslatable(path.read_text(encoding="utf-8")) for name, path in sorted(files.items())}
    assert {name: texts for name, texts in found.items() if texts} == {}


def families(kind: type[Any]) -> set[str]:
    """Return the names of a class and of all that derive from it."""
    return {kind.__name__}.union(*(families(child) for child in kind.__subclasses__()))


def unmarked(source: str, names: set[str]) -> list[int]:
    """Return the lines in which one of these is made of a text that isn't marked, or is filled in already."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and node.args]
    return [
        call.lineno
        for call in calls
        if isinstance(call.func, ast.Name | ast.Attribute)
        and (call.func.id if isinstance(call.func, ast.Name) else call.func.attr) in names
        and isinstance(call.args[0], ast.Constant | ast.JoinedStr | ast.BinOp)
    ]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('Sentence(mark("No."))', []),
        ("\nerrors.Sentence('No.')", [2]),
        ('Sentence(f"{a}")', [1]),
        ('Sentence("a %s" % b)', [1]),
        ("Sentence(str(error))", []),
    ],
)
def test_it_finds_errors_that_would_stay_english(source: str, lines: list[int]) -> None:
    assert unmarked(source, {"Sentence"}) == lines


def test_each_text_of_an_error_of_pure_code_is_marked() -> None:
    names = families(Sentence) | families(Said)
    assert {"BadSampling", "CheckpointError", "BadArchive"} <= names
    root = Path(settings.BASE_DIR)
    files = [
        path for app in ("botfactory", "tweets", "models_app", "publishing") for path in (root / app).rglob("*.py")
    ]
    found = {path.relative_to(root).as_posix(): unmarked(path.read_text(encoding="utf-8"), names) for path in files}
    assert {name: lines for name, lines in found.items() if lines} == {}


#: Modules that answer a terminal, a log or a program in English: commands, doctor, and messages of libraries.
ENGLISH = re.compile(r"/management/|^models_app/ml/|^tweets/(sources|preparation)/|^botfactory/(net|ops|env)\b")


def said_as_it_is(source: str) -> list[int]:
    """Return the lines in which `str(error)` takes the English text of an error that may have a translation."""
    found = []
    for handler in ast.walk(ast.parse(source)):
        if isinstance(handler, ast.ExceptHandler) and handler.name:
            for call in ast.walk(handler):
                is_str = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "str"
                if is_str and [ast.unparse(argument) for argument in call.args] == [handler.name]:  # type: ignore[attr-defined]
                    found.append(call.lineno)  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize(
    ("body", "lines"), [("say(str(error))", [4]), ("say(translated(error))", []), ("say(str(other))", [])]
)
def test_it_finds_errors_that_are_said_in_english(body: str, lines: list[int]) -> None:
    assert said_as_it_is(f"try:\n    pass\nexcept ValueError as error:\n    {body}\n") == lines


def test_an_error_that_people_see_is_translated() -> None:
    root = Path(settings.BASE_DIR)
    files = [
        path for app in ("botfactory", "tweets", "models_app", "publishing") for path in (root / app).rglob("*.py")
    ]
    names = {path.relative_to(root).as_posix(): path for path in files}
    found = {
        name: said_as_it_is(path.read_text(encoding="utf-8"))
        for name, path in names.items()
        if not ENGLISH.search(name)
    }
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_each_name_in_the_administration_is_translatable() -> None:
    plain = []
    for kind in admin.site._registry:
        options = kind._meta
        if options.app_config.name.split(".")[0] in {"botfactory", "tweets", "models_app", "publishing"}:
            names: dict[str, object] = {"app": options.app_config.verbose_name}
            names |= {"one": options.verbose_name, "many": options.verbose_name_plural}
            names |= {field.name: field.verbose_name for field in options.fields if not field.auto_created}
            plain += [f"{options.label} {name}" for name, said in names.items() if not isinstance(said, Promise)]
    assert plain == []
