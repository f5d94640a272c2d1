"""Classes of text within a post, so that an evaluation can separate predictable from unpredictable parts."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.words import HASHTAG, LINK, MENTION

#: The first match wins: a name inside a link belongs to the link.
_PATTERNS: Final = (
    ("links", LINK),
    ("names", MENTION),
    ("hashtags", HASHTAG),
    ("numbers", re.compile(r"\d[\d.,:]*")),
    ("words", re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")),
)
REST: Final = "the rest"
END_MARKS: Final = "end marks"
KINDS: Final = (*(name for name, _ in _PATTERNS), REST, END_MARKS)


def kinds_of(post: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return an index into KINDS and the number of bytes, for each character of the post and its end mark."""
    kinds = np.full(len(post) + 1, KINDS.index(REST))
    kinds[-1] = KINDS.index(END_MARKS)
    for index, (_, pattern) in reversed(list(enumerate(_PATTERNS))):
        for match in pattern.finditer(post):
            kinds[match.start() : match.end()] = index
    codes = np.frombuffer(post.encode("utf-32-le"), np.uint32)
    sizes = 1 + (codes >= 0x80).astype(np.intp) + (codes >= 0x800) + (codes >= 0x10000)
    return kinds, np.append(sizes, 1)
