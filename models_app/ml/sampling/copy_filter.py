"""What a browser gets to refuse copies: the guard itself for a bot's owner, a filter for others.

The guard's fingerprints are hashes, but whoever has them and their key can hash a whole dictionary and so read the
posts. That tells the bot's owner nothing new. Others get a filter: one bit for each three consecutive words of a post,
at a place that their hash chooses. About one in eight bits is set, so one in eight runs of words that nobody wrote is
in it, too. The filter holds less than five bits of information for each word of the posts, while the bot needs more
than twice as many to predict a word. So whoever has both can confirm the guess of a whole post, but not spell one out.

It refuses texts that share as many consecutive words with a post as the guard refuses, and texts with more than half of
their runs of three words in it.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .copy_guard import MIN_WORDS, CopyGuard

#: The fewest places for each entry; there can be twice as many. One in six to eleven of them is then taken.
PLACES: Final = 5.3
_GRAM: Final = 3
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
_FINALIZER: Final = np.uint64(0xBF58476D1CE4E5B9)
MIN_BITS: Final = 6
_OF_GUARD, _OF_FILTER = 1, 2
#: What entries begin with that aren't runs of words.
_WORDLESS, _WHOLE = np.uint64(0), np.uint64(1)


def guard_file(guard: CopyGuard) -> bytes:
    """Return the guard with all its fingerprints, which are as good as the posts: only for their owner."""
    parts = guard.parts
    arrays = (
        parts.vocabulary.astype("<u8"),
        parts.wordless.astype("<u8"),
        parts.text.astype("<u4"),
        parts.ends.astype("<u4"),
    )
    sizes = [len(parts.vocabulary), len(parts.text), len(parts.ends), len(parts.wordless)]
    return _begin(_OF_GUARD, parts.key, sizes) + b"".join(array.tobytes() for array in arrays)


def filter_file(guard: CopyGuard) -> bytes:
    """Return the filter of the guard's posts, for people who must not learn what these are."""
    hashes = np.unique(np.concatenate(_entries(guard)))
    bits = max(MIN_BITS, math.ceil(math.log2(max(1, PLACES * len(hashes)))))
    taken = np.zeros(2**bits, np.bool_)
    taken[(hashes >> np.uint64(64 - bits)).astype(np.int64)] = True
    data = np.packbits(taken, bitorder="little").tobytes()
    return _begin(_OF_FILTER, guard.parts.key, [len(data)]) + data


def _entries(guard: CopyGuard) -> list[NDArray[np.uint64]]:
    """Return the hashes of all runs of three words, of shorter posts, and of posts without words."""
    parts = guard.parts
    fingerprints, ends = parts.vocabulary[parts.text], parts.ends
    lengths = np.diff(ends, prepend=0)
    post = np.repeat(np.arange(len(ends)), lengths)
    count = max(0, len(post) - _GRAM + 1)
    begins = np.flatnonzero(post[:count] == post[len(post) - count :])
    found = [
        _hashes(np.broadcast_to(_WORDLESS, parts.wordless.shape), parts.wordless),
        _hashes(*(fingerprints[begins + place] for place in range(_GRAM))),
    ]
    for length in range(1, MIN_WORDS):
        begins = (ends - lengths)[lengths == length]
        whole = np.broadcast_to(_WHOLE, begins.shape)
        found.append(_hashes(whole, *(fingerprints[begins + place] for place in range(length))))
    return found


def _hashes(*columns: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a hash of each row (N,) of the columns."""
    hashes = np.full(columns[0].shape, len(columns), np.uint64)
    for column in columns:
        hashes = hashes * _MULTIPLIER + column
    mixed: NDArray[np.uint64] = (hashes ^ (hashes >> np.uint64(29))) * _FINALIZER
    return mixed


def _begin(kind: int, key: bytes, sizes: list[int]) -> bytes:
    head = [kind, *sizes, *[0] * (5 - len(sizes))]
    return b"".join(number.to_bytes(4, "little") for number in head) + key
