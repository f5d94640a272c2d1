"""What a preparation does, as a value: complete, checked, and JSON in the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from tweets.cleaning import CleaningRules, Newlines
from tweets.cleaning.language import NAMES
from tweets.preparation.errors import PreparationError

MAX_LANGUAGES: Final = 20
DEFAULT_SHARES: Final = (80, 10, 10)
DEFAULT_BAD_LINES: Final = 10_000


class Packing(StrEnum):
    """How the output is compressed. `train_base` reads all three."""

    GZ = "gz"
    XZ = "xz"
    NONE = "none"

    @property
    def ending(self) -> str:
        return "" if self is Packing.NONE else f".{self}"


def _rules() -> CleaningRules:
    # A base model should know how people answer each other. A post is a line.
    return CleaningRules(keep_replies=True, keep_warnings=True, newlines=Newlines.SPACE)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What becomes of the posts.

    - `rules`: how each post is cleaned, and which are dropped. Its `language` isn't used; `languages` is.
    - `languages`: codes such as "en"; posts that are clearly in another language are dropped. None: all are kept
    - `shares`: percent of the authors for training, validation and test
    - `seed`: decides which author is in which part, and the order of the posts
    - `text_column`, `author_column`: of tables and objects; "" to find them
    - `encoding`: of files in which no byte order mark says it
    - `bad_lines`: how many lines that can't be read are counted before the preparation gives up
    """

    rules: CleaningRules = field(default_factory=_rules)
    languages: tuple[str, ...] = ()
    shares: tuple[int, int, int] = DEFAULT_SHARES
    seed: int = 0
    packing: Packing = Packing.GZ
    text_column: str = ""
    author_column: str = ""
    encoding: str = "utf-8"
    bad_lines: int = DEFAULT_BAD_LINES

    def __post_init__(self) -> None:
        if self.rules.newlines is not Newlines.SPACE:
            raise PreparationError("A line of the output is a post, so newlines=space can't be changed.")
        if sum(self.shares) != 100 or min(self.shares) < 0 or self.shares[0] == 0:
            raise PreparationError(
                "The shares of training, validation and test must be percentages that add up to 100, with something to "
                "train on, for example 80/10/10."
            )
        unknown = [code for code in self.languages if code not in NAMES]
        if unknown:
            raise PreparationError(f"We can't detect the language {unknown[0]!r}. Choose from: {', '.join(NAMES)}.")
        if len(self.languages) > MAX_LANGUAGES:
            raise PreparationError(f"Choose at most {MAX_LANGUAGES} languages, not {len(self.languages)}.")
        if not 0 <= self.seed < 1 << 64:
            raise PreparationError("The seed must be a whole number from 0 to 2**64 - 1.")
        try:
            "".encode(self.encoding)
        except (LookupError, UnicodeError):
            raise PreparationError(
                f"Python knows no encoding {self.encoding!r}. Try utf-8, cp1252 or latin-1."
            ) from None

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON."""
        return {
            "rules": self.rules.as_dict(),
            "languages": list(self.languages),
            "shares": list(self.shares),
            "seed": self.seed,
            "packing": str(self.packing),
            "text_column": self.text_column,
            "author_column": self.author_column,
            "encoding": self.encoding,
            "bad_lines": self.bad_lines,
        }
