"""Finds links that a bot made up: they lead nowhere, or where nobody meant to send anyone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

#: The beginning of a web address, also of one without a scheme on the servers that shorten links for X.
LINK: Final = re.compile(r"https?:|www\.\w|\b(?:t\.co|pic\.twitter\.com)/", re.IGNORECASE)


def adds(post: str, prompt: str) -> bool:
    """Return whether the post has a link that its prompt doesn't begin."""
    return any(found.start() >= len(prompt) for found in LINK.finditer(post))


def guard_for(learned: Sequence[str]) -> bool | None:
    """Return the `SamplingConfig.link_guard` of a bot that learned these posts: False if they contain links."""
    return False if any(LINK.search(post) for post in learned) else None
