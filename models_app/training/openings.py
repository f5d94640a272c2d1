"""Beginnings of posts that a model continues before a training and after each epoch, so that people see it learn."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from models_app.bots.house_bans import house_bans
from tweets.cleaning import personal

#: The longest opening, and the shortest rest of a post that it may come from, in characters.
LONGEST, SHORTEST_REST = 22, 15
#: One or two words: no names, tags, numbers or links.
_PLAIN: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?(?: [^\W\d_]+(?:['’][^\W\d_]+)?)?")
#: The opening of a post in a language that doesn't put spaces between words, in characters.
_WITHOUT_SPACES: Final = 4


def openings_of(learned: Iterable[str], held_out: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """Return up to `most` openings of held-out posts, with different first words: the person's most usual ones."""
    usual, bans = Counter(_openings(learned)), house_bans()
    found: dict[str, str] = {}
    for opening in sorted(dict.fromkeys(_openings(held_out)), key=lambda opening: -usual[opening]):
        if bans.finds(opening) is None and not personal.adds(opening):
            found.setdefault(opening.split()[0].casefold(), opening)
    return tuple(found.values())[:most]


def _openings(posts: Iterable[str]) -> Iterator[str]:
    for post in posts:
        words = post.split()
        opening = " ".join(words[:2]) if len(words) > 2 else post[:_WITHOUT_SPACES]
        if len(opening) <= LONGEST and len(post) >= len(opening) + SHORTEST_REST and _PLAIN.fullmatch(opening):
            yield opening
