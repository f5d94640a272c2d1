"""Finds links that a bot made up: they lead nowhere, or where nobody meant to send anyone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

#: The beginning of a web address. Without a scheme, it needs a server and a path, such as bit.ly/abc.
LINK: Final = re.compile(r"https?:|www\.\w|[a-z\d]\.[a-z]{2,8}/\w", re.IGNORECASE)
#: Cleaning that drops links can leave the rest of a few.
_FEW: Final = 0.02


def adds(post: str, prompt: str) -> bool:
    """Return whether the post has a link that its prompt doesn't begin."""
    return any(found.start() >= len(prompt) for found in LINK.finditer(post))


def guard_for(learned: Sequence[str]) -> bool | None:
    """Return the `SamplingConfig.link_guard` of a bot that learned these posts: False if more than a few have links."""
    return False if sum(LINK.search(post) is not None for post in learned) > _FEW * len(learned) else None
