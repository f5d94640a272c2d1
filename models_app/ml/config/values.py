"""What all settings share: checked numbers, and dictionaries of JSON."""

from __future__ import annotations

from dataclasses import MISSING, asdict, fields
from typing import Any, Self

from models_app.ml.errors import BadSetting, mark


def whole(name: str, value: object, low: int, high: int) -> None:
    """Raise BadSetting unless value is a whole number in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadSetting(
            mark("%(name)s must be a whole number from %(low)s to %(high)s, not %(value)s."),
            name=name,
            low=low,
            high=high,
            value=repr(value),
        )


def number(name: str, value: object, low: float, high: float, *, above: bool = False) -> None:
    """Raise BadSetting unless value is a finite number in [low, high], or in (low, high] with above=True."""
    fine = not isinstance(value, bool) and isinstance(value, (int, float))
    if not fine or not low <= value <= high or (above and value == low):  # type: ignore[operator]
        message = (
            mark("%(name)s must be a number above %(low)s and at most %(high)s, not %(value)s.")
            if above
            else mark("%(name)s must be a number from %(low)s to %(high)s, not %(value)s.")
        )
        raise BadSetting(message, name=name, low=f"{low:g}", high=f"{high:g}", value=repr(value))


class Values:
    """Converts a frozen dataclass to a plain dictionary and back."""

    __slots__ = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values, with tuples as lists."""
        values = asdict(self)  # type: ignore[call-overload]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the settings in `values`. Raises BadSetting that names unknown, missing or invalid ones."""
        if not isinstance(values, dict):
            raise BadSetting(
                mark("%(name)s needs a dictionary, not %(type)s."), name=cls.__name__, type=type(values).__name__
            )
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(str(key) for key in set(values) - known)
        if unknown:
            raise BadSetting(
                mark("%(name)s has no %(unknown)s. It has: %(known)s."),
                name=cls.__name__,
                unknown=", ".join(unknown),
                known=", ".join(sorted(known)),
            )
        needed = {field.name for field in fields(cls) if field.default is MISSING}  # type: ignore[arg-type]
        if missing := sorted(needed - set(values)):
            raise BadSetting(mark("%(name)s lacks %(missing)s."), name=cls.__name__, missing=", ".join(missing))
        return cls(**values)
