"""Draw the losses of a base training (`training.csv`) as an SVG for the docs, in light and dark."""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models_app.ml import checkpoint
from models_app.ml.training.machine_speed import characters_per_symbol

from .common import BASE, ROOT

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 16, 44
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #555 } line { stroke: #8884 } polyline { fill: none; stroke-width: 2 }
.train { stroke: #b5651d } .valid { stroke: #1d6fb5 } text.train { fill: #b5651d; stroke: none }
text.valid { fill: #1d6fb5; stroke: none }
@media (prefers-color-scheme: dark) { text { fill: #aaa } .train { stroke: #e8a15c } .valid { stroke: #6db3f2 }
text.train { fill: #e8a15c } text.valid { fill: #6db3f2 } }
"""


@dataclass(frozen=True, slots=True)
class Point:
    """One validation: megabytes read so far, and losses in bits per character."""

    megabytes: float
    train: float
    validation: float


def read(paths: Sequence[Path], characters: float = 1.0) -> list[Point]:
    """Return the validations of trainings that continued each other. Raise ValueError if one has fewer than two.

    characters: how many characters a symbol stands for. The files have losses in nats per symbol.
    """
    points: list[Point] = []
    bits = math.log(2) * characters
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        if len(rows) < 2:
            raise ValueError(f"{path} holds {len(rows)} validations; a curve needs two.")
        before = points[-1].megabytes if points else 0.0
        for row in rows:
            train, validation = (float(row[f"{kind}_loss"]) / bits for kind in ("train", "validation"))
            points.append(Point(before + int(row["bytes"]) / 1e6, train, validation))
    return points


def svg(points: Sequence[Point]) -> str:
    """Return the picture: bits per character over megabytes read, without the first losses, far above all others."""
    low = math.floor(min(min(point.train, point.validation) for point in points) * 10) / 10
    high = math.ceil(max(point.validation for point in points) * 10) / 10
    end = points[-1].megabytes

    def x(megabytes: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * megabytes / end

    def y(bits: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - bits) / (high - low)

    def line(kind: str) -> str:
        shown = [point for point in points if getattr(point, kind) <= high]
        places = " ".join(f"{x(point.megabytes):.1f},{y(getattr(point, kind)):.1f}" for point in shown)
        return places

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="Losses of the base training">',
        f"<style>{STYLE}</style>",
    ]
    for number in range(5):
        bits = low + (high - low) * number / 4
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(bits):.1f}" y2="{y(bits):.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(bits) + 4:.1f}" text-anchor="end">{bits:.2f}</text>')
        megabytes = end * number / 4
        anchor = "end" if number == 4 else "middle"
        parts.append(
            f'<text x="{x(megabytes):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="{anchor}">{megabytes:.0f}</text>'
        )
    parts += [
        f'<text x="{LEFT}" y="{HEIGHT - 6}">bits per character, over megabytes of posts read</text>',
        f'<polyline class="train" points="{line("train")}"/>',
        f'<polyline class="valid" points="{line("validation")}"/>',
        f'<text class="train" x="{WIDTH - RIGHT - 90}" y="{TOP + 14}" text-anchor="end">training</text>',
        f'<text class="valid" x="{WIDTH - RIGHT}" y="{TOP + 14}" text-anchor="end">validation</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip())
    parser.add_argument(
        "--losses",
        nargs="+",
        type=Path,
        default=[*sorted((ROOT / "docs").glob("base-tokens-training-*.csv")), BASE / "training.csv"],
        metavar="FILE",
        help="of one training, or of several that continued each other",
    )
    parser.add_argument("--base", type=Path, default=BASE, metavar="DIRECTORY", help="the model that was trained")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "img" / "base-training.svg", metavar="FILE")
    options = parser.parse_args(arguments)
    characters = characters_per_symbol(checkpoint.describe(options.base)["meta"])
    options.out.write_text(svg(read(options.losses, characters)), encoding="utf-8")
    print(f"{options.out} shows {', '.join(map(str, options.losses))}.")


if __name__ == "__main__":
    main()
