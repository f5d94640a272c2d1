"""What a vocabulary is: symbols, each standing for some bytes of UTF-8, and an end mark.

A post is the symbols of its bytes followed by the end mark. Every text can be encoded and comes back exactly. The
tables say which symbols may follow each other, so a sampler that obeys them always writes valid UTF-8.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from models_app.ml.words import in_spaced_word

from . import utf8

Symbols = NDArray[np.integer[Any]]
_Scalar = TypeVar("_Scalar", bound=np.generic)


def _outside(character: str) -> bool:
    return not in_spaced_word(character)


#: By whether a character is wanted in a word.
_FITS: Final = {True: in_spaced_word, False: _outside}


@dataclass(frozen=True, slots=True)
class Tables:
    """What each symbol does in each state of the automaton in `utf8`; all (STATES, size).

    next_state: the state after the symbol, meaningful only where `allowed`; allowed: whether the symbol may come there;
    completed: the number of characters that it completes; barred: to add to logits, 0 where a bot may write the symbol,
    else minus infinity. A bot writes no control characters except the line feed, no special symbols, and the end mark
    only between characters.
    """

    next_state: NDArray[np.uint8]
    allowed: NDArray[np.bool_]
    completed: NDArray[np.uint16]
    barred: NDArray[np.float32]


class Vocabulary(ABC):
    """The symbols of a network.

    name: tells vocabularies apart, and is part of a network's configuration; end: the end mark, which is also the start
    mark; symbol_bytes: the bytes of each symbol, empty for the end mark and other special symbols.
    """

    name: str
    end: int
    symbol_bytes: Sequence[bytes]
    #: Symbols with bytes that a bot still must not write.
    unwritable: frozenset[int] = frozenset()

    @cached_property
    def size(self) -> int:
        """The number of symbols."""
        return len(self.symbol_bytes)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The smallest type of integers that TensorFlow looks up and that holds each symbol."""
        return np.dtype(np.uint8 if self.size <= 2**8 else np.uint16 if self.size <= 2**16 else np.int32)

    @abstractmethod
    def encode(self, post: str) -> Symbols:
        """Return the post's symbols (n,) without the end mark. Raises ValueError for half of a surrogate pair."""

    def decode(self, symbols: Iterable[int]) -> str:
        """Return the text of symbols. Raises ValueError for special symbols, end marks and invalid UTF-8."""
        parts = [self.symbol_bytes[symbol] for symbol in symbols]
        if not all(parts):
            raise ValueError("The end mark and other special symbols have no text.")
        return b"".join(parts).decode("utf-8")

    def to_json(self) -> str | None:
        """Return what a model must store beside its weights to read this vocabulary again; None if nothing."""
        return None

    def heal(self, symbols: Symbols) -> tuple[Symbols, bytes]:
        """Return the symbols without the last few, and the bytes of those, which the next symbols must begin with.

        The last symbols of a part of a word can be others than those of the whole word.
        """
        return symbols, b""

    def continuing(self, pending: bytes) -> NDArray[np.intp]:
        """Return the symbols that begin with these bytes; without any, the longest that is their beginning.

        White space can also be written in parts: the network reads a space as part of the word behind it.
        """
        found = [self._between(pending, pending + b"\xff")]
        for size in range(len(pending) - 1, 0, -1):
            if sum(map(len, found)) and not pending.isspace():
                break
            found.append(self._between(pending[:size], pending[:size] + b"\0"))
        return np.concatenate(found)

    def beginning(self, begun: bytes, *, in_word: bool) -> NDArray[np.intp]:
        """Return the symbols that make a character in a word of these bytes, or one that isn't, or can become one.

        begun: the bytes of a character that isn't complete, or none. Words are those that spaces separate.
        """
        if not begun:
            return self._beginning[in_word]

        # Only bytes from 80 to BF continue a character.
        continuing = self._between(b"\x80", b"\xc0").tolist()
        made = {each: utf8.first_bytes(begun + self.symbol_bytes[each]) for each in continuing}
        return np.array([each for each in continuing if utf8.can_be(made[each], _FITS[in_word])], np.intp)

    def containing(self, data: bytes) -> NDArray[np.intp]:
        """Return the symbols that contain these bytes."""
        return np.array([symbol for symbol, own in enumerate(self.symbol_bytes) if data in own], np.intp)

    @cached_property
    def byte_lengths(self) -> NDArray[np.intp]:
        """The number of bytes of each symbol (size,)."""
        return np.array([len(each) for each in self.symbol_bytes], np.intp)

    def bytes_of(self, symbols: Symbols) -> int:
        """Return the number of bytes that these symbols stand for. An end mark counts as one."""
        return int(self.byte_lengths[symbols].sum()) + int((symbols == self.end).sum())

    @cached_property
    def tables(self) -> Tables:
        """What each symbol does in each state."""
        longest_first = np.argsort(-self.byte_lengths, kind="stable")
        lengths = self.byte_lengths[longest_first]
        padded = np.zeros((self.size, int(lengths[0])), np.uint8)
        for place, symbol in enumerate(longest_first.tolist()):
            padded[place, : lengths[place]] = np.frombuffer(self.symbol_bytes[symbol], np.uint8)
        states = np.repeat(np.arange(utf8.STATES, dtype=np.uint8)[:, None], self.size, axis=1)
        allowed = np.repeat(lengths[None] > 0, utf8.STATES, axis=0)
        writable, completed = allowed.copy(), np.zeros(states.shape, np.uint16)
        for place in range(padded.shape[1]):
            # Longest first: the symbols with a byte at this place are the first ones.
            having = slice(int(np.searchsorted(-lengths, -place, side="left")))
            before, byte = states[:, having], padded[having, place]
            allowed[:, having] &= utf8.ALLOWED[before, byte]
            writable[:, having] &= utf8.WRITABLE[before, byte]
            states[:, having] = utf8.NEXT_STATE[before, byte]
            completed[:, having] += states[:, having] == utf8.BOUNDARY
        places = np.argsort(longest_first)
        states, allowed = _ordered(states, places), _ordered(allowed, places)
        writable, completed = _ordered(writable, places), _ordered(completed, places) * allowed
        writable[:, sorted(self.unwritable)] = False
        allowed[utf8.BOUNDARY, self.end] = writable[utf8.BOUNDARY, self.end] = True
        states[:, self.end] = utf8.BOUNDARY
        barred = np.where(writable, 0, -np.inf).astype(np.float32)
        for table in (states, allowed, completed, barred):
            table.setflags(write=False)
        return Tables(states, allowed, completed, barred)

    def _between(self, first: bytes, after: bytes) -> NDArray[np.intp]:
        """Return the symbols from these bytes on and before those. UTF-8 has no byte 0xFF, which sorts after all."""
        return self._order[bisect_left(self._sorted, first) : bisect_left(self._sorted, after)]

    @cached_property
    def _beginning(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The symbols whose first character isn't in a word, and those where it is; incomplete ones can be in both."""
        by_character: dict[bytes, list[int]] = {}
        for symbol in self._order.tolist():
            by_character.setdefault(utf8.first_bytes(self.symbol_bytes[symbol]), []).append(symbol)
        found: tuple[list[int], list[int]] = ([], [])
        for character, symbols in by_character.items():
            for in_word in (False, True):
                if utf8.can_be(character, _FITS[in_word]):
                    found[in_word].extend(symbols)
        return np.array(found[False], np.intp), np.array(found[True], np.intp)

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        """The symbols with bytes that a bot may write, in the order of these."""
        writable = np.flatnonzero((self.tables.barred == 0).any(axis=0)).tolist()
        with_bytes = [symbol for symbol in writable if self.symbol_bytes[symbol]]
        return np.array(sorted(with_bytes, key=self.symbol_bytes.__getitem__), np.intp)

    @cached_property
    def _sorted(self) -> list[bytes]:
        return [self.symbol_bytes[symbol] for symbol in self._order.tolist()]


def _ordered(table: NDArray[_Scalar], places: NDArray[np.intp]) -> NDArray[_Scalar]:
    """Return the columns at these places, laid out so that a row is read quickly."""
    return np.ascontiguousarray(table[:, places])
