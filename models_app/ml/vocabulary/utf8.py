"""UTF-8 as an automaton of bytes: which byte may follow which.

Accepts exactly valid UTF-8 (table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing above
U+10FFFF), so a sampler that obeys it can't write anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.errors import BadSetting, mark

# The states: the number of continuation bytes still expected. A lead byte that restricts the next byte has a state of
# its own.
BOUNDARY: Final = 0
ONE, TWO, THREE = 1, 2, 3
AFTER_E0, AFTER_ED, AFTER_F0, AFTER_F4 = 4, 5, 6, 7
AFTER_C2: Final = 8  # like ONE, but C2 80..9F are the control characters U+0080..U+009F
STATES: Final = 9

# (state, first byte, last byte, next state)
_TRANSITIONS: Final = (
    (BOUNDARY, 0x00, 0x7F, BOUNDARY),
    (BOUNDARY, 0xC2, 0xC2, AFTER_C2),
    (BOUNDARY, 0xC3, 0xDF, ONE),
    (BOUNDARY, 0xE0, 0xE0, AFTER_E0),
    (BOUNDARY, 0xE1, 0xEC, TWO),
    (BOUNDARY, 0xED, 0xED, AFTER_ED),
    (BOUNDARY, 0xEE, 0xEF, TWO),
    (BOUNDARY, 0xF0, 0xF0, AFTER_F0),
    (BOUNDARY, 0xF1, 0xF3, THREE),
    (BOUNDARY, 0xF4, 0xF4, AFTER_F4),
    (ONE, 0x80, 0xBF, BOUNDARY),
    (TWO, 0x80, 0xBF, ONE),
    (THREE, 0x80, 0xBF, TWO),
    (AFTER_E0, 0xA0, 0xBF, ONE),
    (AFTER_ED, 0x80, 0x9F, ONE),
    (AFTER_F0, 0x90, 0xBF, TWO),
    (AFTER_F4, 0x80, 0x8F, TWO),
    (AFTER_C2, 0x80, 0xBF, BOUNDARY),
)


def _tables() -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]:
    following = np.zeros((STATES, 256), np.uint8)
    allowed = np.zeros((STATES, 256), np.bool_)
    for state, first, last, after in _TRANSITIONS:
        following[state, first : last + 1] = after
        allowed[state, first : last + 1] = True
    writable = allowed.copy()
    writable[BOUNDARY, :0x20] = False
    writable[BOUNDARY, ord("\n")] = True
    writable[BOUNDARY, 0x7F] = False
    writable[AFTER_C2, 0x80:0xA0] = False
    for table in (following, allowed, writable):
        table.setflags(write=False)
    return following, allowed, writable


# All (STATES, 256): the state after a byte (meaningful only where ALLOWED), whether that byte is allowed, and whether a
# bot may write it (no control characters except the line feed).
NEXT_STATE, ALLOWED, WRITABLE = _tables()


#: Above, there are no words and no signs: unassigned characters, and those for private use.
_BEYOND: Final = 0x40000


def first_bytes(data: bytes) -> bytes:
    """Return the bytes of the first character of this text, which may be incomplete."""
    return data[: 1 if data[0] < 0x80 else 2 if data[0] < 0xE0 else 3 if data[0] < 0xF0 else 4]


def is_incomplete(data: bytes) -> bool:
    """Return whether these are fewer bytes than a character has."""
    return not data or len(first_bytes(data + b"\x80" * 3)) > len(data)


def can_be(character: bytes, fits: Callable[[str], bool]) -> bool:
    """Return whether a character that is or begins with these bytes fits."""
    length = len(first_bytes(character + b"\x80" * 3))
    code = character[0] if length == 1 else character[0] & (0x7F >> length)
    for byte in character[1:]:
        code = code << 6 | byte & 0x3F
    bits = 6 * (length - len(character))
    return any(fits(chr(each)) for each in range(code << bits, min((code + 1) << bits, _BEYOND)))


def utf8(text: str) -> bytes:
    """Return the text in UTF-8. Raises BadSetting for half of a surrogate pair."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadSetting(
            mark(
                "Character %(number)s is half of a surrogate pair (%(code)s), which can’t be stored as UTF-8. Remove "
                "that character."
            ),
            number=error.start + 1,
            code=f"U+{ord(text[error.start]):04X}",
        ) from error
