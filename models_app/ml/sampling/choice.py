"""Best-of-n: which of several drafts to keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Draft:
    """A post that could be kept. nats: its log-likelihood by the bot per character, the end mark included."""

    post: str
    nats: float


#: How much each draft (D,) sounds like the person: the fraction of the bot's posts that sound less like them.
Likeness = Callable[[Sequence[Draft]], NDArray[np.float64]]


def best(drafts: Sequence[Draft], count: int, likeness: Likeness | None) -> list[tuple[Draft, float | None]]:
    """Return up to `count` different drafts with their likeness, the most like the person first.

    Without `likeness`, returns those that are as likely as most: neither odd nor dull.
    """
    different = list({draft.post: draft for draft in drafts}.values())
    if not different:
        return []
    if likeness is None:
        nats = np.array([draft.nats for draft in different])
        order = np.argsort(np.abs(nats - np.median(nats)), kind="stable")
        return [(different[place], None) for place in order[:count].tolist()]
    found = likeness(different)
    order = np.argsort(-found, kind="stable")
    return [(different[place], float(found[place])) for place in order[:count].tolist()]
