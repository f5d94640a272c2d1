"""What is known of a post besides its text, as a row of an array, and which of equal posts is kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweets.cleaning.duplicates import BANDS

#: Structured, of `record_type`.
Records = NDArray[Any]


@cache
def record_type(*, near: bool) -> np.dtype[Any]:
    """Return the fields of a record.

    - `key`: the same for posts that are duplicates of each other; the posts are in its order in the end
    - `who`: a hash of the author, or the key; it decides on the split
    - `size`: of the text, in bytes
    - `bands`: only if `near`; those of the text's signature, zeros for a short one
    """
    fields: list[Any] = [("key", "<u8"), ("who", "<u8"), ("size", "<u4")]
    return np.dtype([*fields, ("bands", "<u8", (BANDS,))] if near else fields)


def chosen(records: Records, texts: Sequence[bytes], *, repeats: bool = False) -> NDArray[np.intp]:
    """Return the places of the posts to keep, sorted by key.

    Of several with the same key, it's the one whose text comes first in the alphabet, so it doesn't matter in which
    order or portions they came. With `repeats`, all are kept, in that order.
    """
    order = np.argsort(records["key"], kind="stable")
    keys = records["key"][order]
    again = np.flatnonzero(keys[1:] == keys[:-1]) + 1
    if not again.size:
        return order
    kept = np.ones(len(order), bool)
    kept[again] = repeats
    first = np.setdiff1d(again - 1, again)
    ends = again[np.append(np.diff(again) > 1, True)] + 1
    for start, end in zip(first.tolist(), ends.tolist(), strict=True):
        group = order[start:end].tolist()
        ranked = sorted(group, key=lambda place: (texts[place], int(records["who"][place])))
        order[start:end] = ranked
    return order[kept]
