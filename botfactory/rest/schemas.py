"""What the schemas of all routers are made of."""

from __future__ import annotations

from typing import Annotated, Any, Final, Generic, Self, TypeVar

from ninja import Schema
from pydantic import ConfigDict, Field, ModelWrapValidatorHandler, StringConstraints, model_validator

T = TypeVar("T")

#: Text as it can be stored: Postgres knows no NUL.
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]


#: For the document, of text that must not be blank: the services refuse that with a sentence.
VISIBLE: Final[dict[str, Any]] = {"pattern": r"^[^\x00]*[^\s\x00][^\x00]*$"}


#: For the document, of text/event-stream: one of its events.
SERVER_SENT: Final[dict[str, Any]] = {
    "type": "object",
    "description": "An event of the stream. `data` is JSON.",
    "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
    "required": ["event", "data"],
}


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Input(Schema):
    """The base of what callers send: unknown fields are errors, numbers are numbers."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _whole_numbers(cls, sent: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """In JSON 2.0 is as whole a number as 2."""
        if isinstance(sent, dict):
            sent = {name: _whole(value) for name, value in sent.items()}
        return handler(sent)


class Output(Schema):
    """The base of what callers get."""


class ErrorDetail(Output):
    code: str = Field(description="For programs: it stays the same where the words change.")
    message: str = Field(description="For people: what is wrong and what to do.")
    param: str | None = Field(description="The field of the body or query that is wrong, where it is one.")


class Error(Output):
    """What every error looks like."""

    error: ErrorDetail


class Page(Output, Generic[T]):
    """Some of the things. The next: ask again with `after` set to the id (of an event: the sequence) of the last."""

    data: list[T]
    has_more: bool = Field(description="Whether there are more after these.")


def examples(*values: Any, base: ConfigDict | None = None) -> ConfigDict:
    """`model_config = examples({...})`: what the documentation shows; `base` as for `Input.model_config`."""
    return ConfigDict(**{**(base or {}), "json_schema_extra": {"examples": list(values)}})
