"""Sentences for what pydantic finds wrong with a field, since its own are English only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from botfactory.words.translatable import mark
from botfactory.words.translation import grouped

_ID: Final = mark("%(name)s must be an id (a UUID).")
_WHOLE: Final = mark("%(name)s must be a whole number.")
_NUMBER: Final = mark("%(name)s must be a number.")
_TEXT: Final = mark("%(name)s must be text.")
_TRUTH: Final = mark("%(name)s must be true or false.")
_OBJECT: Final = mark("%(name)s must be a JSON object.")
_MOMENT: Final = mark("%(name)s must be a date and time with its time zone, such as 2027-01-31T12:00:00Z.")
_LIST: Final = mark("%(name)s must be a list.")
_CHOICE: Final = mark("%(name)s must be one of: %(expected)s.")

#: The type of pydantic's error -> our sentence. Values come from the error's context.
SENTENCES: Final[Mapping[str, str]] = {
    "bool_parsing": _TRUTH,
    "bool_type": _TRUTH,
    "datetime_from_date_parsing": _MOMENT,
    "datetime_parsing": _MOMENT,
    "timezone_aware": _MOMENT,
    "datetime_type": _MOMENT,
    "dict_type": _OBJECT,
    "enum": _CHOICE,
    "finite_number": _NUMBER,
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "greater_than": mark("%(name)s must be more than %(gt)s."),
    "greater_than_equal": mark("%(name)s must be at least %(ge)s."),
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": mark("%(name)s is too large."),
    "int_type": _WHOLE,
    "less_than": mark("%(name)s must be less than %(lt)s."),
    "less_than_equal": mark("%(name)s can be at most %(le)s."),
    "list_type": _LIST,
    "literal_error": _CHOICE,
    "model_attributes_type": _OBJECT,
    "model_type": _OBJECT,
    "string_pattern_mismatch": mark("%(name)s contains a character that isn’t allowed."),
    "string_type": _TEXT,
    "string_unicode": _TEXT,
    "tuple_type": _LIST,
    "uuid_parsing": _ID,
    "uuid_type": _ID,
}


def sentence(name: str, error: Mapping[str, Any]) -> str:
    """Return what is wrong with the field `name`, in the active language, from one of pydantic's errors.

    An error that isn't known here keeps pydantic's own English text.
    """
    kind, context = error["type"], error.get("ctx", {})
    template = _counted(kind, context) or (_(SENTENCES[kind]) if kind in SENTENCES else "")
    if not template:
        return f"{name}: {str(error['msg']).rstrip('.')}."
    return template % {"name": name, **{key: _shown(value) for key, value in context.items()}}


def _counted(kind: str, context: Mapping[str, Any]) -> str:
    """Return the sentence, in the active language, for a text or a list that is too short or too long; else ""."""
    if kind == "string_too_short":
        return ngettext(
            "%(name)s must have at least %(min_length)s character.",
            "%(name)s must have at least %(min_length)s characters.",
            context["min_length"],
        )
    if kind == "string_too_long":
        return ngettext(
            "%(name)s can have at most %(max_length)s character.",
            "%(name)s can have at most %(max_length)s characters.",
            context["max_length"],
        )
    if kind == "too_short":
        return ngettext(
            "%(name)s must have at least %(min_length)s item.",
            "%(name)s must have at least %(min_length)s items.",
            context["min_length"],
        )
    if kind == "too_long":
        return ngettext(
            "%(name)s can have at most %(max_length)s item.",
            "%(name)s can have at most %(max_length)s items.",
            context["max_length"],
        )
    return ""


def _shown(value: object) -> str:
    if isinstance(value, int):
        return grouped(value)
    # pydantic lists choices as "'a', 'b' or 'c'".
    return f"{value:g}" if isinstance(value, float) else str(value).replace(" or ", ", ")
