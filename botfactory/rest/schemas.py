"""The building blocks of all routers' schemas."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, Generic, Self, TypeVar

from ninja import Schema
from ninja.responses import NinjaJSONEncoder
from pydantic import AfterValidator, ConfigDict, Field, ModelWrapValidatorHandler, StringConstraints, model_validator
from pydantic_core import PydanticKnownError

T = TypeVar("T")

#: Text that can be stored: Postgres doesn't store NUL.
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]


#: In the document, for text that must not be blank. The services refuse that with a sentence.
VISIBLE: Final[dict[str, Any]] = {"pattern": r"^[^\x00]*[^\s\x00][^\x00]*$"}


def one_of(names: Callable[[], Iterable[str]]) -> tuple[AfterValidator, Any]:
    """Return what makes a text one of the names of a registry, as a Literal is: `Annotated[str, *one_of(names)]`.

    Each request asks for the names anew, since apps register theirs after schemas are imported.
    """

    def checked(value: str) -> str:
        known = list(names())
        if value not in known:
            raise PydanticKnownError("literal_error", {"expected": ", ".join(map(repr, known))})
        return value

    def list_names(schema: dict[str, Any]) -> None:
        schema["enum"] = list(names())

    return AfterValidator(checked), Field(json_schema_extra=list_names)


#: In the document, for text/event-stream: one of its events.
SERVER_SENT: Final[dict[str, Any]] = {
    "type": "object",
    "description": "An event of the stream. `data` is JSON.",
    "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
    "required": ["event", "data"],
}


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Input(Schema):
    """The base of what callers send. Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _whole_numbers(cls, sent: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Accept 2.0 as the whole number 2, as JSON means it."""
        if isinstance(sent, dict):
            sent = {name: _whole(value) for name, value in sent.items()}
        return handler(sent)


class Output(Schema):
    """The base of what callers get."""

    def to_json(self) -> str:
        """Return it as an answer has it, on one line: for streams."""
        return json.dumps(self.model_dump(), cls=NinjaJSONEncoder, ensure_ascii=False, separators=(",", ":"))


_PARAM: Final = (
    "The invalid field of the body or query, if there is one. For `limit_reached`: the limit, as `GET /me` names it."
)


class ErrorDetail(Output):
    code: str = Field(description="For programs. It stays the same even if the message changes.")
    message: str = Field(description="For people: what is wrong and what to do.")
    param: str | None = Field(description=_PARAM)


class Error(Output):
    """The shape of every error."""

    error: ErrorDetail


class Page(Output, Generic[T]):
    """A page of a list. For the next one, set `after` to the id of the last item (for events, its sequence)."""

    data: list[T]
    has_more: bool = Field(description="Whether there are more after these.")


def examples(*values: Any, base: ConfigDict | None = None) -> ConfigDict:
    """Return a `model_config` with examples for the documentation. `base` is the one to extend."""
    return ConfigDict(**{**(base or {}), "json_schema_extra": {"examples": list(values)}})
