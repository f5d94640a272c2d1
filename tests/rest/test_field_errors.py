"""What is wrong with a field is a sentence of ours, in the language of whoever sent it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pydantic
import pytest

import botfactory.api
from botfactory.accounts.models import User
from botfactory.rest import field_errors
from botfactory.rest.schemas import Input
from tests import pseudo
from tests.rest.helpers import Program, require_error

assert botfactory.api  # which imports all schemas

#: Of each wrong type, too small, too large, and odd.
WRONG: list[Any] = [None, "", "x", "x" * 100_000, "a\0b", -1, 10**30, 1.5, 1e300, float("nan"), [], {}, [None]]
WRONG += [["x"] * 1000, [""], True, "2026", "2026-13-01", "2026-01-01T12:00:00", b"\xff"]


def inputs(base: type[Input] = Input) -> set[type[Input]]:
    """Return all schemas of what callers send."""
    return {base}.union(*(inputs(child) for child in base.__subclasses__()))


def errors() -> Iterator[Any]:
    """Yield what pydantic says of each field of each operation."""
    for schema in inputs():
        for name in schema.model_fields:
            for value in WRONG:
                try:
                    schema.model_validate({name: value})
                except pydantic.ValidationError as error:
                    yield from error.errors(include_url=False)


def test_each_error_of_each_field_has_a_sentence_of_ours() -> None:
    found = {error["type"]: field_errors.sentence("name", error) for error in errors() if error["type"] != "missing"}
    assert len(found) > 20
    assert {kind: text for kind, text in found.items() if not text.startswith("name ") or "Input" in text} == {}


def test_an_error_that_is_not_known_keeps_its_text() -> None:
    assert field_errors.sentence("n", {"type": "new_one", "msg": "Too odd"}) == "n: Too odd."


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("path", "body", "param", "message", "marked"),
    [
        ("/tokens", {"name": 5}, "name", "name must be text.", "⟦name must be text.⟧"),
        ("/tokens", [], None, "The body must be a JSON object.", "⟦⟦The body⟧ must be a JSON object.⟧"),
        (
            "/tokens",
            {"name": "x" * 81},
            "name",
            "name can have at most 80 characters.",
            "⟦name can have at most 80 characters.⟧",
        ),
    ],
)
def test_it_is_said_in_the_language_of_the_request(
    alice: User, settings: Any, path: str, body: Any, param: str | None, message: str, marked: str
) -> None:
    settings.LANGUAGES = [("en", "English"), (pseudo.CODE, "Marks")]
    program = Program(alice, "read", "write")
    assert require_error(program.post(path, body), 422, "bad_value", param) == message
    with pseudo.marked():
        answer = program.post(path, body, Accept_Language=pseudo.CODE)
    assert require_error(answer, 422, "bad_value", param) == marked
