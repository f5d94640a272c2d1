"""Draw our own small SVGs, faces and marks, with Pillow: groups of paths, circles and rectangles in plain colours.

Paths have lines, curves of one control point and arcs of circles. Corners and ends of strokes are round.
"""

from __future__ import annotations

import colorsys
import math
import re
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

from PIL import Image, ImageDraw

Point = tuple[float, float]

#: The side of the square that these SVGs are drawn on.
SIDE: Final = 64
#: Shapes are drawn this much larger first, for smooth edges.
FINER: Final = 4
#: The number of straight lines for a curve.
_STEPS: Final = 24

_TOKEN: Final = re.compile(r"[MLHVQTAZ]|-?(?:\d+\.?\d*|\.\d+)", re.IGNORECASE)
_HSL: Final = re.compile(r"hsl\((\d+) (\d+)% (\d+)%\)")
#: Command -> how many numbers it takes.
_NUMBERS: Final = {"M": 2, "L": 2, "H": 1, "V": 1, "Q": 4, "T": 2, "A": 7, "Z": 0}


def drawing(inside: str, pixels: int) -> Image.Image:
    """Return the inside of an SVG with the viewBox 0 0 64 64 as a square picture of so many pixels a side."""
    large = Image.new("RGBA", (pixels * FINER, pixels * FINER))
    root = ElementTree.fromstring(f"<g>{inside}</g>")
    for element, style in _flat(root, {"fill": "#000", "stroke": "none", "stroke-width": "1"}):
        _draw(ImageDraw.Draw(large), element, style, pixels * FINER / SIDE)
    return large.reduce(FINER)


def _flat(element: ElementTree.Element, style: dict[str, str]) -> Iterator[tuple[ElementTree.Element, dict[str, str]]]:
    """Yield the shapes in their order, each with the style that it has or inherits."""
    own = style | {name: element.attrib[name] for name in style if name in element.attrib}
    if element.tag == "g":
        for child in element:
            yield from _flat(child, own)
    else:
        yield element, own


def _draw(draw: ImageDraw.ImageDraw, element: ElementTree.Element, style: dict[str, str], scale: float) -> None:
    lines = [[(x * scale, y * scale) for x, y in line] for line in _lines(element)]
    fill, stroke, width = _colour(style["fill"]), _colour(style["stroke"]), float(style["stroke-width"]) * scale
    for line in lines:
        if fill is not None and len(line) > 2:
            draw.polygon(line, fill=fill)
        if stroke is not None and width:
            draw.line(line, fill=stroke, width=round(width))
            for x, y in line:
                draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=stroke)


def _lines(element: ElementTree.Element) -> list[list[Point]]:
    """Return the outline of a shape as lines through points."""
    number = {name: float(value) for name, value in element.attrib.items() if re.fullmatch(r"[\d.]+", value)}
    if element.tag == "circle":
        cx, cy, r = number["cx"], number["cy"], number["r"]
        return [[*_arc((cx + r, cy), (cx - r, cy), r, True), *_arc((cx - r, cy), (cx + r, cy), r, True)]]
    if element.tag == "rect":
        x, y, width, height, r = (number.get(name, 0.0) for name in ("x", "y", "width", "height", "rx"))
        path = (
            f"M{x + r} {y}H{x + width - r}A{r} {r} 0 0 1 {x + width} {y + r}V{y + height - r}"
            f"A{r} {r} 0 0 1 {x + width - r} {y + height}H{x + r}A{r} {r} 0 0 1 {x} {y + height - r}V{y + r}"
            f"A{r} {r} 0 0 1 {x + r} {y}Z"
        )
        return list(_path(path))
    return list(_path(element.attrib["d"]))


def _path(text: str) -> Iterator[list[Point]]:
    tokens = _TOKEN.findall(text)
    line: list[Point] = []
    control: Point = (0.0, 0.0)
    command, at = "M", 0
    while at < len(tokens):
        if tokens[at].isalpha():
            command, at = tokens[at], at + 1
        count = _NUMBERS[command.upper()]
        numbers, at = [float(token) for token in tokens[at : at + count]], at + count
        here = line[-1] if line else (0.0, 0.0)
        if command in "Zz":
            line.append(line[0])
            continue
        if command in "Mm":
            if len(line) > 1:
                yield line
            line = [_target(command, numbers, here)]
            # What follows without a command is a line.
            command = "L" if command == "M" else "l"
        elif command in "Qq":
            control, end = _target(command, numbers[:2], here), _target(command, numbers[2:], here)
            line += _curve(here, control, end)
        elif command in "Tt":
            # It continues the curve before: its control point is opposite to that one's.
            control = 2 * here[0] - control[0], 2 * here[1] - control[1]
            line += _curve(here, control, _target(command, numbers, here))
        elif command in "Aa":
            line += _arc(here, _target(command, numbers[5:], here), numbers[0], bool(numbers[4]))
        else:
            line.append(_target(command, numbers, here))
    if len(line) > 1:
        yield line


def _target(command: str, numbers: list[float], here: Point) -> Point:
    """Return the point that a command names. Small letters count from `here`."""
    x, y = here if command.islower() else (0.0, 0.0)
    if command in "Hh":
        return x + numbers[0], here[1]
    if command in "Vv":
        return here[0], y + numbers[0]
    return x + numbers[0], y + numbers[1]


def _curve(start: Point, control: Point, end: Point) -> list[Point]:
    """Return points of a quadratic Bézier curve, without its start."""
    return [
        (
            (1 - t) ** 2 * start[0] + 2 * (1 - t) * t * control[0] + t**2 * end[0],
            (1 - t) ** 2 * start[1] + 2 * (1 - t) * t * control[1] + t**2 * end[1],
        )
        for t in (step / _STEPS for step in range(1, _STEPS + 1))
    ]


def _arc(start: Point, end: Point, radius: float, clockwise: bool) -> list[Point]:
    """Return points of the smaller arc of a circle between two points, without its start."""
    across = math.dist(start, end)
    if not radius or not across:
        return [end]
    # A radius that is too short to reach grows, as in SVG.
    radius = max(radius, across / 2)
    high = math.sqrt(max(0.0, radius**2 - (across / 2) ** 2)) * (1 if clockwise else -1)
    along = (end[0] - start[0]) / across, (end[1] - start[1]) / across
    cx = (start[0] + end[0]) / 2 - along[1] * high
    cy = (start[1] + end[1]) / 2 + along[0] * high
    first = math.atan2(start[1] - cy, start[0] - cx)
    turn = (math.atan2(end[1] - cy, end[0] - cx) - first) % math.tau
    turn = turn if clockwise else turn - math.tau
    angles = (first + turn * step / _STEPS for step in range(1, _STEPS + 1))
    return [(cx + radius * math.cos(angle), cy + radius * math.sin(angle)) for angle in angles]


def _colour(text: str) -> tuple[int, int, int] | None:
    """Return the colour of hsl(H S% L%) or of #rgb and #rrggbb; None for none."""
    if text == "none":
        return None
    found = _HSL.fullmatch(text)
    if found:
        hue, saturation, lightness = (int(part) for part in found.groups())
        red, green, blue = colorsys.hls_to_rgb(hue / 360, lightness / 100, saturation / 100)
        return round(255 * red), round(255 * green), round(255 * blue)
    digits = text.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
