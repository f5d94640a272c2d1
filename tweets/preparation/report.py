"""What a preparation did, as a value: every post that was found is counted once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from tweets.cleaning import Drop
from tweets.preparation.finishing import PARTS, Size
from tweets.preparation.recipe import Recipe

NEAR: Final = "near_duplicate"
#: In the order in which the rules are applied.
_ORDER: Final = (*map(str, Drop), NEAR)
_WORDS: Final = {
    "repost": "reposts",
    "reply": "replies",
    "quote": "quotes of other posts",
    "warning": "behind a content warning",
    "cut": "cut off by their service",
    "auto": "written by apps",
    "too_short": "empty or too short",
    "not_text": "without words, or damaged",
    "language": "in another language",
    "duplicate": "repeated",
    "banned": "with a banned word",
    NEAR: "nearly the same as another one",
}


@dataclass(slots=True)
class InputReport:
    """What one input had. `bad_lines` couldn't be read and aren't among `posts`."""

    file: str
    format: str
    posts: int = 0
    bad_lines: int = 0

    def as_dict(self) -> dict[str, Any]:
        return {"file": self.file, "format": self.format, "posts": self.posts, "bad_lines": self.bad_lines}


@dataclass(slots=True)
class Report:
    """The counts: `found` is the sum of `dropped` and of the posts of all parts."""

    recipe: Recipe
    inputs: list[InputReport] = field(default_factory=list)
    found: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    parts: dict[str, Size] = field(default_factory=lambda: dict.fromkeys(PARTS, Size()))
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)

    @property
    def kept(self) -> int:
        return sum(size.posts for size in self.parts.values())

    @property
    def bad_lines(self) -> int:
        return sum(each.bad_lines for each in self.inputs)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON. The same input and recipe always give the same report."""
        return {
            "found": self.found,
            "kept": self.kept,
            "dropped": {reason: self.dropped[reason] for reason in _ORDER if self.dropped[reason]},
            "masked": dict(sorted(self.masked.items())),
            "bad_lines": self.bad_lines,
            "inputs": [each.as_dict() for each in self.inputs],
            "parts": {
                name: {"posts": size.posts, "characters": size.characters, "bytes": size.bytes, **self.files[name]}
                for name, size in self.parts.items()
            },
            "recipe": self.recipe.as_dict(),
        }

    def lines(self) -> list[str]:
        """Return a table for the terminal."""
        rows = [("found", self.found, "")]
        for reason in _ORDER:
            count = self.dropped[reason]
            if count:
                rows.append((f"  dropped: {_WORDS[reason]}", count, _share(count, self.found)))
        rows.append(("kept", self.kept, _share(self.kept, self.found)))
        rows += [
            (f"  {self.files[name]['file']}", size.posts, f"{size.bytes / 1e6:,.1f} MB of text")
            for name, size in self.parts.items()
        ]
        if self.bad_lines:
            rows.append(("lines that can't be read", self.bad_lines, "in bad-lines.jsonl"))
        rows += [(f"masked: {kind}", count, "") for kind, count in sorted(self.masked.items())]
        wide = max(len(name) for name, _, _ in rows)
        deep = max(len(f"{count:,}") for _, count, _ in rows)
        table = [f"{name:<{wide}}  {count:>{deep},}  {note}".rstrip() for name, count, note in rows]
        return [*table, *(f"  {example}" for example in self.examples)]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""
