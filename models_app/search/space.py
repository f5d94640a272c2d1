"""The space of a search: for each setting that the trials vary, a range or a list of choices, as JSON or TOML."""

from __future__ import annotations

import json
import math
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_type_hints

from django.utils.translation import gettext as _

from botfactory.words.translation import translated
from models_app.bots.errors import ModelError

MAX_PARAMETERS: Final = 20
MAX_CHOICES: Final = 30
#: The spaces that come with the product.
SHIPPED: Final = Path(__file__).parent / "spaces"
_KEYS: Final = ("low", "high", "log", "step", "choices")

Value = int | float | str


class BadSpace(ModelError):
    code = "bad_space"


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from low to high, both included. step: only multiples of it above low; log: drawn on a log scale."""

    low: float
    high: float
    is_whole: bool
    is_log: bool = False
    step: float | None = None

    def ends(self) -> tuple[Value, ...]:
        return self.low, self.high

    def middle(self) -> float:
        return math.sqrt(self.low * self.high) if self.is_log else (self.low + self.high) / 2


@dataclass(frozen=True, slots=True)
class Choices:
    """One of these values."""

    values: tuple[Value, ...]

    def ends(self) -> tuple[Value, ...]:
        return self.values

    def middle(self) -> float:
        """Return the mean, if the values are numbers."""
        return sum(map(float, self.values)) / len(self.values)


Parameter = Range | Choices
Space = Mapping[str, Parameter]


def types_of(config: type, names: Iterable[str]) -> dict[str, type]:
    """Return the type of the values of these settings: int, float, or str for words."""
    hints = get_type_hints(config)
    return {name: hints[name] if hints[name] in (int, float) else str for name in names}


def read(text: str) -> dict[str, Any]:
    """Return what a JSON object or a TOML file says. Raises BadSpace."""
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except ValueError as error:
        message = _("The space is neither JSON nor TOML: look at line %(line)s. Write, for example: %(example)s")
        example = "[learning_rate]\nlow = 0.0005\nhigh = 0.005\nlog = true"
        raise BadSpace(message % {"line": _line(error, text), "example": example}) from error
    except RecursionError as error:
        raise BadSpace(_("The space is nested too deeply. Write one table for each setting.")) from error
    return dict(found)


def _line(error: ValueError, text: str) -> int:
    """Return the line of an error in a text, counted from 1: the last one if the error is that the text ends."""
    found = re.search(r"\bline (\d+)", str(error))
    return int(found[1]) if found else text.rstrip().count("\n") + 1


def shipped(name: str) -> dict[str, Any]:
    """Return a space that comes with the product. Raises BadSpace."""
    if name not in shipped_names():
        message = _("There’s no space %(name)s. Choose one of these, or a file: %(names)s.")
        raise BadSpace(message % {"name": name, "names": ", ".join(shipped_names())})
    return read((SHIPPED / f"{name}.toml").read_text(encoding="utf-8"))


def shipped_names() -> list[str]:
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def largest_step(space: Space) -> dict[str, int]:
    """Return the largest batch size and sequence length that trials can have, those that the space varies."""
    varied = [name for name in ("batch_size", "sequence_length") if name in space]
    return {name: int(max(map(float, space[name].ends()))) for name in varied}


def parsed(given: Mapping[str, Any], kinds: Mapping[str, type], check: Callable[[str, Value], None]) -> Space:
    """Return the parameters of a space. Raises BadSpace with a sentence that names the setting.

    kinds: the settings that can vary, each with the type of its values; check: raises ValueError if a training with
    this value, and what is usual otherwise, isn't possible.
    """
    if not isinstance(given, Mapping) or not given:
        raise BadSpace(_("The space is empty. Name at least one setting: %(names)s.") % {"names": ", ".join(kinds)})
    if len(given) > MAX_PARAMETERS:
        raise BadSpace(_("A space can have at most %(most)s settings.") % {"most": MAX_PARAMETERS})
    space: dict[str, Parameter] = {}
    for name, values in given.items():
        if name not in kinds:
            message = _("There is no setting %(name)s. You can set: %(names)s.")
            raise BadSpace(message % {"name": name, "names": ", ".join(kinds)})
        space[name] = parameter = _parameter(name, values, kinds[name])
        for value in parameter.ends():
            try:
                check(name, value)
            except (ValueError, ModelError) as error:
                raise BadSpace(f"{name}: {translated(error)}") from error
    return space


def as_json(space: Space) -> dict[str, Any]:
    """Return the space as JSON, which `parsed` reads."""
    return {name: _as_json(parameter) for name, parameter in space.items()}


def _as_json(parameter: Parameter) -> dict[str, Any]:
    if isinstance(parameter, Choices):
        return {"choices": list(parameter.values)}
    told: dict[str, Any] = {"low": parameter.low, "high": parameter.high}
    if parameter.is_log:
        told["log"] = True
    if parameter.step is not None:
        told["step"] = parameter.step
    return told


def stored(space: Mapping[str, Any]) -> Space:
    """Return the parameters of a space that `as_json` wrote, by name: the database may have lost their order."""
    return {
        name: Choices(tuple(values["choices"])) if "choices" in values else _stored_range(values)
        for name, values in sorted(space.items())
    }


def _stored_range(values: Mapping[str, Any]) -> Range:
    whole = isinstance(values["low"], int) and isinstance(values["high"], int)
    return Range(values["low"], values["high"], whole, bool(values.get("log")), values.get("step"))


def _parameter(name: str, values: Any, kind: type) -> Parameter:
    if not isinstance(values, Mapping) or not values:
        raise _bad(name, _("write a range as low and high, or a list of choices"))
    if unknown := sorted(str(key) for key in set(values) - set(_KEYS)):
        message = _("there is no %(unknown)s; a setting has low, high, log and step, or choices")
        raise _bad(name, message % {"unknown": unknown[0]})
    if "choices" in values:
        return _choices(name, values, kind)
    if kind is str:
        raise _bad(name, _("its values are words, so write a list of choices"))
    return _range(name, values, kind)


def _choices(name: str, values: Mapping[str, Any], kind: type) -> Choices:
    choices = values["choices"]
    if len(values) > 1:
        raise _bad(name, _("write either choices, or low and high"))
    if not isinstance(choices, list) or not 1 <= len(choices) <= MAX_CHOICES:
        raise _bad(name, _("choices must be a list of 1 to %(most)s values") % {"most": MAX_CHOICES})
    for choice in choices:
        if kind is str and not isinstance(choice, str):
            raise _bad(name, _("%(value)s isn’t a word") % {"value": repr(choice)})
        if kind is not str:
            _require_number(name, choice, kind)
    found = tuple(float(choice) if kind is float else choice for choice in choices)
    if len(set(found)) < len(found):
        raise _bad(name, _("list each choice only once"))
    return Choices(found)


def _range(name: str, values: Mapping[str, Any], kind: type) -> Range:
    for key in ("low", "high"):
        if key not in values:
            raise _bad(name, _("%(key)s is missing") % {"key": key})
        _require_number(name, values[key], kind)
    is_log, step = values.get("log", False), values.get("step")
    if not isinstance(is_log, bool):
        raise _bad(name, _("log must be true or false"))
    if step is not None:
        _require_number(name, step, kind)
        if step <= 0:
            raise _bad(name, _("step must be above 0"))
        if is_log:
            raise _bad(name, _("log and step can’t be combined"))
    low, high = (float(values[key]) if kind is float else values[key] for key in ("low", "high"))
    if low > high:
        raise _bad(name, _("low is above high"))
    if is_log and low <= 0:
        raise _bad(name, _("low must be above 0 on a log scale"))
    if step is not None:
        # So that the last value is one that can be drawn.
        try:
            high = low + math.floor((high - low) / step + 1e-9) * step
        except OverflowError:
            raise _bad(name, _("step is too small for this range")) from None
    return Range(low, high, kind is int, is_log, float(step) if step is not None and kind is float else step)


def _require_number(name: str, value: Any, kind: type) -> None:
    # A whole number of JSON can be larger than any float. This also refuses infinity and NaN.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise _bad(name, _("%(value)s isn’t a number") % {"value": repr(value)})
    if kind is int and not isinstance(value, int):
        raise _bad(name, _("%(value)s isn’t a whole number") % {"value": repr(value)})


def _bad(name: str, what: str) -> BadSpace:
    return BadSpace(f"{name}: {what}.")


def lines(space: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each setting of a stored space with its values in words, for pages and the terminal."""
    for name, parameter in stored(space).items():
        if isinstance(parameter, Choices):
            yield name, ", ".join(map(str, parameter.values))
        else:
            extra = " (log)" if parameter.is_log else f" (step {parameter.step:g})" if parameter.step else ""
            yield name, f"{parameter.low:g} – {parameter.high:g}{extra}"
