"""Draw the two charts of docs/benchmarks.md from the tables of docs/benchmarks-log.md, for light and for dark.

python -m benchmarks.charts
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from .common import ROOT

LOG: Final = ROOT / "docs" / "benchmarks-log.md"
WIDTH, ROW, LABEL, RIGHT, TOP = 720, 30, 190, 60, 34
STYLE: Final = """
text { font: 13px system-ui, sans-serif; fill: #555 } rect { fill: #9aa7b4 } rect.ours { fill: #1d6fb5 }
text.title { font-weight: 600 } line { stroke: #b5651d; stroke-width: 2; stroke-dasharray: 5 4 }
text.aim { fill: #b5651d }
@media (prefers-color-scheme: dark) { text { fill: #aaa } rect { fill: #5b6772 } rect.ours { fill: #6db3f2 }
line { stroke: #e8a15c } text.aim { fill: #e8a15c } }
"""
#: Columns of the table of personas, as the chart names them.
CONTENDERS: Final = {
    "default": "ours, default",
    "default from the base of bytes": "ours, base of bytes",
    "Kneser-Ney": "Kneser-Ney n-grams",
    "PPMd": "PPMd compressor",
    "base alone": "base model alone",
    "tutorial": "tutorial's recipe",
}
#: Columns of the table by machine, as the chart names them.
MACHINES: Final = {
    "AMD EPYC, family 25": "EPYC, family 25",
    "AMD EPYC, family 26": "EPYC, family 26",
    "Intel Xeon, AMX": "Xeon with AMX",
    "Intel Xeon, AMX hidden": "Xeon, AMX hidden",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart; `ours` has the accent colour."""

    name: str
    value: float
    ours: bool = True


def row(text: str, column: str, name: str) -> dict[str, str]:
    """Return the cells, by column, of the row whose first cell begins with `name`.

    The table is the first one in `text` that has this column. Raise ValueError if there is no such table or row.
    """
    header: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            header = []
        elif not header:
            header = cells
        elif column in header and cells[0].startswith(name):
            return dict(zip(header, cells, strict=True))
    raise ValueError(f"No table with the column {column!r} has a row {name!r}.")


def learning(text: str) -> list[Bar]:
    """Return the mean bits per character of each contender, the lowest first."""
    means = row(text, "posts kept", "mean")
    bars = [Bar(label, _number(means[column]), column.startswith("default")) for column, label in CONTENDERS.items()]
    return sorted(bars, key=lambda bar: bar.value)


def speed(text: str) -> list[Bar]:
    """Return how many times as fast as stock Keras a step of batch 64 is, a bar for each run of each machine."""
    cells = row(text, "aim", "[a training step]")
    bars = []
    for column, label in MACHINES.items():
        runs = cells[column].split(";")
        bars += [
            Bar(f"{label}, run {number}" if len(runs) > 1 else label, _number(run))
            for number, run in enumerate(runs, 1)
        ]
    return bars


def svg(title: str, bars: Sequence[Bar], *, aim: float | None = None) -> str:
    """Return a picture of horizontal bars that start at zero, with a dashed line at the aim."""
    height = TOP + ROW * len(bars) + (24 if aim else 6)
    scale = (WIDTH - LABEL - RIGHT) / max(bar.value for bar in bars)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f"aria-label={quoteattr(title)}>",
        f"<style>{STYLE}</style>",
        f'<text class="title" x="0" y="16">{escape(title)}</text>',
    ]
    for number, bar in enumerate(bars):
        y, long = TOP + ROW * number, bar.value * scale
        parts.append(f'<text x="{LABEL - 8}" y="{y + 15}" text-anchor="end">{escape(bar.name)}</text>')
        colour = ' class="ours"' if bar.ours else ""
        parts.append(f'<rect{colour} x="{LABEL}" y="{y}" width="{long:.1f}" height="{ROW - 8}"/>')
        parts.append(f'<text x="{LABEL + long + 6:.1f}" y="{y + 15}">{bar.value:.2f}</text>')
    if aim:
        x, bottom = LABEL + aim * scale, TOP + ROW * len(bars)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="{bottom}"/>')
        parts.append(f'<text class="aim" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">aim: {aim:g}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def pictures(text: str) -> Mapping[str, str]:
    """Return the charts by file name."""
    return {
        "benchmark-learning.svg": svg(
            "Bits per character on new posts, mean of 13 personas (lower is better)", learning(text)
        ),
        "benchmark-speed.svg": svg(
            "A training step, times as fast as stock Keras (LSTM, batch 64)", speed(text), aim=2.5
        ),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "img", metavar="FOLDER")
    options = parser.parse_args(arguments)
    for name, picture in pictures(LOG.read_text(encoding="utf-8")).items():
        (options.out / name).write_text(picture, encoding="utf-8")
        print(options.out / name)


def _number(cell: str) -> float:
    """Return the first number of a cell such as `**3.31, 2.69**`."""
    found = re.search(r"\d+\.\d+", cell)
    if found is None:
        raise ValueError(f"There is no number in {cell!r}.")
    return float(found[0])


if __name__ == "__main__":
    main()
