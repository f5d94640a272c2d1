"""The pictures of a search, as coordinates that a template draws: the server needs no script for them.

Coordinates are text, because a template would write numbers as the reader's language does, which labels do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from models_app.search import space as spaces
from models_app.search.rows import Search, Trial
from models_app.search.table import shown

WIDTH, HEIGHT = 640.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 14.0, 14.0, 40.0
#: Losses above the best by more than this many times the median's distance are drawn at the edge.
FAR: Final = 3.0
_TICKS: Final = 5


@dataclass(frozen=True, slots=True)
class Mark:
    """A dot, or a label at an axis."""

    x: str
    y: str
    label: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """Dots in a rectangle, a line through some, and labels at both axes."""

    dots: list[Mark]
    line: str
    x_ticks: list[Mark]
    y_ticks: list[Mark]
    x_label: str
    y_label: str
    label: str


@dataclass(frozen=True, slots=True)
class Line:
    """A trial in parallel coordinates."""

    points: str
    label: str
    kind: str


@dataclass(frozen=True, slots=True)
class Parallel:
    """Axes side by side, each with its name, its lowest and highest value; and a line for each trial."""

    lines: list[Line]
    axes: list[tuple[str, str, str, str]]
    label: str


def history(trials: Sequence[Trial]) -> Plot | None:
    """Return the losses in the order of the trials, and the best so far; None before two trials have ended."""
    measured = [trial for trial in sorted(trials, key=lambda trial: trial.number) if _bits(trial) is not None]
    if len(measured) < 2:
        return None
    across, up = Scale(0, max(trial.number for trial in measured), LEFT, WIDTH - RIGHT), _losses(measured)
    best = math.inf
    corners: list[tuple[float, float]] = []
    for trial in measured:
        bits = _bits(trial)
        if trial.state == Trial.State.COMPLETE and bits is not None and bits < best:
            if corners:
                corners.append((across.at(trial.number), up.at(best)))
            best = bits
            corners.append((across.at(trial.number), up.at(best)))
    if corners:
        corners.append((across.at(measured[-1].number), up.at(best)))
    return Plot(
        dots=[_dot(trial, across.at(trial.number), up, best) for trial in measured],
        line=_path(corners),
        x_ticks=_below(across, whole=True),
        y_ticks=_beside(up),
        x_label=_("Trial"),
        y_label=_("Bits per character"),
        label=_("The bits per character of each trial in order, and the best so far. The table has the same numbers."),
    )


def cost(search: Search, trials: Sequence[Trial]) -> Plot | None:
    """Return the losses by what they cost: seconds of training or, for base models, the size of the network.

    The line connects the trials that no other trial beats in both.
    """
    is_base = search.kind == Search.Kind.BASE
    complete = [trial for trial in trials if trial.state == Trial.State.COMPLETE and _bits(trial) is not None]
    if len(complete) < 2:
        return None

    def price(trial: Trial) -> float:
        return (trial.weights or 0) / 1e6 if is_base else trial.seconds

    across = Scale(0, max(map(price, complete)) or 1.0, LEFT, WIDTH - RIGHT)
    up, best = _losses(complete), min(_bits(trial) or math.inf for trial in complete)
    lowest = math.inf
    front: list[tuple[float, float]] = []
    for trial in sorted(complete, key=lambda trial: (price(trial), _bits(trial) or 0)):
        bits = _bits(trial)
        if bits is not None and bits < lowest:
            lowest = bits
            front.append((across.at(price(trial)), up.at(bits)))
    return Plot(
        dots=[_dot(trial, across.at(price(trial)), up, best) for trial in complete],
        line=_path(front),
        x_ticks=_below(across),
        y_ticks=_beside(up),
        x_label=_("Million parameters") if is_base else _("Seconds of training"),
        y_label=_("Bits per character"),
        label=_("The bits per character of each trial by its cost. The table has the same numbers."),
    )


def parallel(search: Search, trials: Sequence[Trial]) -> Parallel | None:
    """Return a line for each trial across its settings and its loss, the best ones last, so that they lie on top."""
    measured = [trial for trial in trials if _bits(trial) is not None and trial.state in _ENDED]
    if len(measured) < 2:
        return None
    space = spaces.stored(search.space)
    places = [50 + (WIDTH - 110) * number / len(space) for number in range(len(space) + 1)]
    up = _losses(measured)
    ranked = sorted(measured, key=lambda trial: (trial.state != Trial.State.COMPLETE, _bits(trial) or 0))
    lines = []
    for place, trial in enumerate(ranked):
        heights = [_height(space[name], trial.parameters.get(name)) for name in space]
        points = [(x, y) for x, y in zip(places, heights, strict=False) if y is not None]
        points.append((places[-1], up.at(_bits(trial) or 0)))
        kind = "best" if place == 0 else "good" if place < max(2, len(ranked) // 4) else "other"
        lines.append(Line(_path(points), _told(trial), kind))
    axes = [(f"{x:.1f}", name, *_ends(space[name])) for x, name in zip(places, space, strict=False)]
    ends = number_format(f"{up.low:.3g}"), number_format(f"{up.high:.3g}")
    axes.append((f"{places[-1]:.1f}", _("bits per character"), *ends))
    label = _("The settings of each trial and its bits per character. The table has the same numbers.")
    return Parallel(lines[::-1], axes, label)


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps low to `start` and high to `end`; values outside to the nearer end."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + (self.end - self.start) * min(1.0, max(0.0, share))


_ENDED: Final = (Trial.State.COMPLETE, Trial.State.PRUNED)


def _bits(trial: Trial) -> float | None:
    return trial.bits_per_character


def _losses(trials: Sequence[Trial]) -> Scale:
    """Return the scale of losses, lowest at the bottom, on which a few bad ones don't hide the others."""
    found = [bits for trial in trials if (bits := _bits(trial)) is not None]
    low = min(found)
    high = min(max(found), low + FAR * max(1e-3, median(found) - low))
    room = max(1e-3, high - low) * 0.08
    return Scale(low - room, high + room, HEIGHT - BOTTOM, TOP)


def _dot(trial: Trial, x: float, up: Scale, best: float) -> Mark:
    bits = _bits(trial) or 0
    kind = "pruned" if trial.state != Trial.State.COMPLETE else "best" if bits == best else "complete"
    return Mark(f"{x:.1f}", f"{up.at(bits):.1f}", _told(trial), kind)


def _told(trial: Trial) -> str:
    bits = "–" if trial.bits_per_character is None else number_format(trial.bits_per_character, 4)
    values = ", ".join(f"{name} {shown(value)}" for name, value in sorted(trial.parameters.items()))
    return _("Trial %(number)s: %(bits)s (%(values)s)") % {"number": trial.number, "bits": bits, "values": values}


def _height(parameter: spaces.Parameter, value: float | int | str | None) -> float | None:
    """Return where a value of this setting is on its axis, or None for one that it can't have."""
    if value is None:
        return None
    if isinstance(parameter, spaces.Choices):
        if value not in parameter.values:
            return None
        return Scale(0, len(parameter.values) - 1, HEIGHT - BOTTOM, TOP).at(parameter.values.index(value))
    if isinstance(value, str):
        return None
    if parameter.is_log:
        return Scale(math.log(parameter.low), math.log(parameter.high), HEIGHT - BOTTOM, TOP).at(math.log(value))
    return Scale(parameter.low, parameter.high, HEIGHT - BOTTOM, TOP).at(value)


def _ends(parameter: spaces.Parameter) -> tuple[str, str]:
    if isinstance(parameter, spaces.Choices):
        return shown(parameter.values[0]), shown(parameter.values[-1])
    return shown(parameter.low), shown(parameter.high)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _below(scale: Scale, *, whole: bool = False) -> list[Mark]:
    y = f"{HEIGHT - BOTTOM + 16:.1f}"
    ticks = _ticks(scale.low, scale.high, whole=whole)
    return [Mark(f"{scale.at(value):.1f}", y, number_format(f"{value:g}")) for value in ticks]


def _beside(scale: Scale) -> list[Mark]:
    x, ticks = f"{LEFT - 8:.1f}", _ticks(scale.low, scale.high)
    return [Mark(x, f"{scale.at(value):.1f}", number_format(f"{value:.4g}")) for value in ticks]


def _ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """Return about five round numbers from low to high."""
    if high <= low:
        return [low]
    rough = (high - low) / _TICKS
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    if whole:
        step = max(1.0, round(step))
    first = math.ceil(low / step)
    return [round(number * step, 10) for number in range(first, math.floor(high / step) + 1)]
