"""Collects every text that can be translated, as `makemessages` does, but without GNU gettext."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from babel.messages.extract import extract
from django.conf import settings
from django.utils.translation.template import templatize

#: A message as catalogs have it: its context or None, and its text, or the singular of it.
Key = tuple[str | None, str]

#: Function -> the places of context, singular and plural among its arguments.
KEYWORDS: Final[dict[str, tuple[int | None, int, int | None]]] = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop", "mark"), (None, 0, None)),
    **dict.fromkeys(("ngettext", "ngettext_lazy", "counted_sentence"), (None, 0, 1)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), (0, 1, None)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), (0, 1, 2)),
}
_CALL: Final = re.compile(rf"\b(?:{'|'.join(KEYWORDS)})\(")
_ROOTS: Final = ("botfactory", "models_app", "publishing", "tweets")


def of_python_and_templates() -> set[Key]:
    root = Path(settings.BASE_DIR)
    found = {key for folder in _ROOTS for path in (root / folder).rglob("*.py") for key in _in_python(path)}
    templates = [path for path in (root / "templates").rglob("*") if path.suffix in (".html", ".txt")]
    return found | {key for path in templates for key in _in_template(path)}


def of_scripts() -> set[Key]:
    found: set[Key] = set()
    keywords = {"gettext": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2), "npgettext": ((1, "c"), 2, 3)}
    for path in (Path(settings.BASE_DIR) / "static/js").rglob("*.js"):
        with path.open("rb") as file:
            options = {"parse_template_string": True}
            for _, message, _, context in extract("javascript", file, keywords=keywords, options=options):
                found.add((context, message if isinstance(message, str) else message[0]))
    return found


def _in_python(path: Path) -> Iterator[Key]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield from _in_call(node)


def _in_template(path: Path) -> Iterator[Key]:
    # Django turns the texts of a template into calls, between letters that stand for the rest.
    calls = templatize(path.read_text(encoding="utf-8"), origin=str(path))
    for start in _CALL.finditer(calls):
        for end in re.finditer(r"\)", calls[start.end() :]):
            try:
                parsed = ast.parse(calls[start.start() : start.end() + end.end()], mode="eval").body
            except SyntaxError:  # the bracket is part of a text
                continue
            assert isinstance(parsed, ast.Call)
            yield from _in_call(parsed)
            break


def _in_call(call: ast.Call) -> Iterator[Key]:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if name not in KEYWORDS:
        return
    context, singular, _ = KEYWORDS[name]
    text = _constant(call, singular)
    if text:
        yield None if context is None else _constant(call, context), text


def _constant(call: ast.Call, place: int) -> str | None:
    argument = call.args[place] if len(call.args) > place else None
    value = argument.value if isinstance(argument, ast.Constant) else None
    return value if isinstance(value, str) else None
