"""The beginnings of posts that are being written, for people who watch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from .judge import Judge
from .row import Row

#: Seconds between two changes that are told.
INTERVAL: Final = 0.1
#: After a check of all unfinished posts that took t seconds, wait REST times t.
REST: Final = 9.0

#: Gets all beginnings that may be shown now, by the place of their post. What is missing was rejected or has ended.
OnBeginnings = Callable[[dict[int, str]], None]


class Beginnings:
    """Tells how the posts of a request begin, while they are being written.

    A beginning ends with a whole word after the prompt, and none of the checks of finished posts objects to it. So it
    grows with its draft, except while its words are those of a learned post. It never ends within a number of several
    words, which could be somebody's. It disappears with a draft that is rejected.
    """

    def __init__(self, tell: OnBeginnings, judging: Judge, clock: Callable[[], float] = time.monotonic) -> None:
        self._tell, self._judging, self._clock = tell, judging, clock
        self._told: dict[int, str] = {}
        # By the number of the draft: the next one in its place begins anew.
        self._shown: dict[int, str] = {}
        self._next = 0.0

    def look(self, rows: Sequence[Row]) -> None:
        """Tell the beginnings of these drafts if they have changed and enough time has passed."""
        begun = self._clock()
        if begun < self._next:
            return
        # Of several drafts for a place, the first one that is still being drawn.
        leading = {row.place: row for row in reversed(rows)}
        found = [(row, text) for row in leading.values() if (text := self._of(row))]
        ended = self._clock()
        self._next = ended + REST * (ended - begun)
        self._shown = {row.number: text for row, text in found}
        told = {row.place: text for row, text in found}
        if told != self._told:
            self._told, self._next = told, max(self._next, begun + INTERVAL)
            self._tell(told)

    def _of(self, row: Row) -> str:
        """Return the longest beginning that may be shown, or an empty text."""
        shown = self._shown.get(row.number, "")
        # An incomplete character at the end is part of an incomplete word.
        text = row.text.decode(errors="ignore")
        if text and not text[-1].isspace():
            text = _without_last_word(text)
        text = text.rstrip()
        while text and any(letter.isdigit() for letter in _last_word(text)):
            text = _without_last_word(text)
        if len(text) <= max(len(shown), len(self._judging.config.prompt)):
            return shown
        return shown if self._judging.refused(text) else text


def _last_word(text: str) -> str:
    return text.rsplit(maxsplit=1)[-1]


def _without_last_word(text: str) -> str:
    return text[: -len(_last_word(text))].rstrip()
