"""The copy guard: detects texts that are too close to a learned post.

It compares words (`words`), ignoring case, punctuation and emoji. Links and @mentions aren't anybody's words, so they
neither count nor interrupt a run. A text is a copy of a post if

- it shares more than 15 consecutive words with the post, or
- more than 70 % of its words are consecutive in the post (both are markovify's rules), or
- more than 70 % of its words are in the post in the same order, and the post has at most 1.5 times as many words.
  Without this rule, one inserted word would make a short post new. Longer posts can contain the same words by chance.

Anybody can write a phrase of up to three words, so a text with fewer than four words is a copy only if it equals a
whole post. Texts without any words, such as a row of emoji, are compared by their other characters.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from models_app.ml.errors import CheckpointError, mark
from models_app.ml.state_file import StateError, load_state, save_state
from models_app.ml.words import own_text, words

from .overlap import in_order, longest_run

FORMAT: Final = 1
LONGEST_RUN: Final = 15
LARGEST_SHARE: Final = (7, 10)
MIN_WORDS: Final = 4
_GRAM: Final = LONGEST_RUN + 1
_KEY_BYTES: Final = 16
_NO_WORD: Final = -1


@dataclass(frozen=True, slots=True)
class Nearest:
    """The post closest to a text.

    post: its index; share: fraction of the text's words that are in the post in order; run: longest run of common
    words; is_copy: whether the text is too close.
    """

    post: int
    share: float
    run: int
    is_copy: bool


@dataclass(frozen=True, slots=True)
class Parts:
    """What a guard consists of; see CopyGuard."""

    key: bytes
    vocabulary: NDArray[np.uint64]
    text: NDArray[np.uint32]
    ends: NDArray[np.int64]
    wordless: NDArray[np.uint64]


class CopyGuard:
    """The posts that a model learned from, as fingerprints of their words instead of their text.

    A fingerprint is a 64-bit keyed hash; the random key is stored with the fingerprints. They don't reveal the text,
    but anybody who has them can test words, just as anybody who has the model can generate posts.
    """

    def __init__(
        self,
        key: bytes,
        vocabulary: NDArray[np.uint64],
        text: NDArray[np.uint32],
        ends: NDArray[np.int64],
        wordless: NDArray[np.uint64],
    ) -> None:
        """Take the parts of a guard; use `of` to make one from posts.

        key: of the hashes; vocabulary (V,): sorted fingerprints of all words; text (N,): the words of all posts as
        indices into the vocabulary; ends (P,): end of each post in `text`; wordless: fingerprint of each post without
        words, in order.
        """
        self._key, self._vocabulary, self._text, self._ends, self._wordless = key, vocabulary, text, ends, wordless
        self._lengths = np.diff(ends, prepend=0)  # (P,)

    @classmethod
    def of(cls, posts: Iterable[str], *, beside: CopyGuard | None = None) -> CopyGuard:
        """Return a guard of the posts, followed by the posts of `beside` that aren't among them."""
        key = beside._key if beside else secrets.token_bytes(_KEY_BYTES)
        numbers: dict[str, int] = {}
        text: list[int] = []
        ends: list[int] = []
        wordless: list[int] = []
        for post in posts:
            before = len(text)
            text += [numbers.setdefault(word, len(numbers)) for word in words(post)]
            ends.append(len(text))
            if len(text) == before:
                wordless.append(_fingerprint(_signs(post), key))
        fingerprints = np.array([_fingerprint(word, key) for word in numbers], np.uint64)
        vocabulary, places = np.unique(fingerprints, return_inverse=True)
        own = cls(
            key,
            vocabulary,
            places.astype(np.uint32)[np.array(text, np.int64)],
            np.array(ends, np.int64),
            np.array(wordless, np.uint64),
        )
        return own._joined(beside) if beside and len(beside) else own

    def _joined(self, other: CopyGuard) -> CopyGuard:
        """Return a guard of these posts, followed by the posts of `other` that aren't among them."""
        vocabulary = np.union1d(self._vocabulary, other._vocabulary)
        mine = np.searchsorted(vocabulary, self._vocabulary).astype(np.uint32)[self._text]
        theirs = np.searchsorted(vocabulary, other._vocabulary).astype(np.uint32)[other._text]
        known = {post.tobytes() for post in _posts(mine, self._ends)}
        new = [post for post in _posts(theirs, other._ends) if post.tobytes() not in known and post.size]
        signs = np.setdiff1d(other._wordless, self._wordless)
        lengths = [*self._lengths, *map(len, new), *[0] * len(signs)]
        return CopyGuard(
            self._key,
            vocabulary,
            np.concatenate([mine, *new]),
            np.cumsum(lengths, dtype=np.int64),
            np.concatenate([self._wordless, signs]),
        )

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def parts(self) -> Parts:
        """Return what `CopyGuard` takes, to write it in another form."""
        return Parts(self._key, self._vocabulary, self._text, self._ends, self._wordless)

    @property
    def nbytes(self) -> int:
        """Return the bytes that it takes once it has made its indices, at most."""
        arrays = (self._vocabulary, self._text, self._ends, self._lengths, self._wordless)
        index = 8 * len(self._vocabulary) + 6 * len(self._text)
        return sum(array.nbytes for array in arrays) + index + 16 * len(self._text)

    def is_copy(self, text: str) -> bool:
        """Return whether the text is a copy of any post."""
        query = self._query(text)
        if not query.words:
            return bool((self._wordless == query.signs).any())
        return next(self._copies(query), None) is not None

    def nearest(self, text: str) -> Nearest | None:
        """Return the post that the text copies, else the one with the most of its words in order.

        Ties go to the longest run, then to the first post. Returns None if no post shares a word with the text.
        """
        query = self._query(text)
        if not query.words:
            found = np.flatnonzero(self._wordless == query.signs)
            if not found.size:
                return None
            return Nearest(int(np.flatnonzero(self._lengths == 0)[found[0]]), 1.0, 0, True)
        best = max(self._copies(query), key=_closeness, default=None)
        return best or self._closest(query)

    def _closest(self, query: _Query) -> Nearest | None:
        overlap = self._overlap(query)
        best: Nearest | None = None
        for post in np.argsort(-overlap, kind="stable").tolist():
            # The words in order can't outnumber the common words, so no later post is closer.
            if overlap[post] == 0 or (best and overlap[post] / len(query.words) < best.share):
                break
            places = self._places(query, post)
            if best and in_order(places, len(query.words)) / len(query.words) < best.share:
                continue
            found = self._compared(query, post, places)
            if best is None or _closeness(found) > _closeness(best):
                best = found
        return best

    def _copies(self, query: _Query) -> Iterator[Nearest]:
        """Yield the posts that the text copies."""
        count = len(query.words)
        least = count if count < MIN_WORDS else _more_than_share(count)
        candidates = np.flatnonzero(self._overlap(query) >= least)
        if least > LONGEST_RUN:
            candidates = np.union1d(candidates, self._sharing_a_gram(query))
        for post in candidates.tolist():
            found = self._compared(query, post, self._places(query, post))
            if found.is_copy:
                yield found

    def _places(self, query: _Query, post: int) -> list[Sequence[int]]:
        """Return each word's positions in the text, for all words of the post."""
        end, length = self._ends[post], self._lengths[post]
        return [query.places.get(word, ()) for word in self._text[end - length : end].tolist()]

    @staticmethod
    def _compared(query: _Query, post: int, places: Sequence[Sequence[int]]) -> Nearest:
        count, length = len(query.words), len(places)
        run, common = longest_run(places), in_order(places, count)
        if count < MIN_WORDS:
            is_copy = run == count == length
        else:
            least = _more_than_share(count)
            is_copy = run > LONGEST_RUN or run >= least or (common >= least and 2 * length <= 3 * count)
        return Nearest(post, common / count, run, is_copy)

    def _query(self, text: str) -> _Query:
        found = [_fingerprint(word, self._key) for word in words(text)]
        if not found:
            signs = _signs(text)
            return _Query([], {}, _fingerprint(signs, self._key) if signs else -1)
        fingerprints = np.array(found, np.uint64)
        first = np.searchsorted(self._vocabulary, fingerprints)
        last = np.searchsorted(self._vocabulary, fingerprints, "right")
        numbers = np.where(last > first, first, _NO_WORD).tolist()
        where: dict[int, list[int]] = {}
        for place, word in enumerate(numbers):
            if word != _NO_WORD:
                where.setdefault(word, []).append(place)
        return _Query(numbers, where, -1)

    def _overlap(self, query: _Query) -> NDArray[Any]:
        """Return each post's number of words in common with the text, in any order, (P,)."""
        starts, posts, counts = self._index
        spans = [slice(starts[word], starts[word + 1]) for word in query.places]
        if not spans:
            return np.zeros(len(self))
        weights = [np.minimum(counts[span], len(query.places[w])) for span, w in zip(spans, query.places, strict=True)]
        return np.bincount(np.concatenate([posts[span] for span in spans]), np.concatenate(weights), len(self))

    @cached_property
    def _index(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint16]]:
        """Return (starts (V + 1,), posts, counts): starts[w]:starts[w + 1] selects the posts with word w."""
        total = max(1, len(self))
        pairs = self._text.astype(np.int64) * total + np.repeat(np.arange(len(self)), self._lengths)
        pairs, counts = np.unique(pairs, return_counts=True)
        starts = np.searchsorted(pairs, np.arange(len(self._vocabulary) + 1) * total)
        return starts, (pairs % total).astype(np.int32), counts.astype(np.uint16)

    def _sharing_a_gram(self, query: _Query) -> NDArray[np.int64]:
        """Return the posts that share 16 consecutive words with the text."""
        grams, posts = self._grams
        if not grams.size:
            return posts
        numbers = np.array(query.words)
        # A run cannot go through a word that no post has; the place -1 gives its hash some value all the same.
        whole = np.lib.stride_tricks.sliding_window_view(numbers != _NO_WORD, _GRAM).all(axis=1)
        hashes = _gram_hashes(self._vocabulary[numbers])[whole]
        first, last = np.searchsorted(grams, hashes), np.searchsorted(grams, hashes, "right")
        return np.unique(np.concatenate([posts[a:b] for a, b in zip(first, last, strict=True)] or [posts[:0]]))

    @cached_property
    def _grams(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """The hashes of all runs of 16 words, sorted, and the post of each."""
        if len(self._text) < _GRAM:
            return np.zeros(0, np.uint64), np.zeros(0, np.int64)
        hashes = _gram_hashes(self._vocabulary[self._text])
        post = np.repeat(np.arange(len(self)), self._lengths)
        within = post[: len(hashes)] == post[_GRAM - 1 :]
        hashes, post = hashes[within], post[: len(hashes)][within]
        order = np.argsort(hashes, kind="stable")
        return hashes[order], post[order]

    def save(self, path: Path) -> None:
        """Save the fingerprints (no text) atomically: a kill leaves the old or the new file."""
        arrays: dict[str, NDArray[Any]] = {
            "key": np.frombuffer(self._key, np.uint8),
            "vocabulary": self._vocabulary,
            "text": self._text,
            "ends": self._ends,
            "wordless": self._wordless,
        }
        save_state(path, arrays, {"format": FORMAT})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the guard in the file.

        Raises FileNotFoundError without a file, and CheckpointError for a damaged one, or one that isn't a guard's.
        """
        try:
            arrays, facts = load_state(path)
        except StateError as error:
            raise _damaged(path) from error
        if facts.get("format") != FORMAT:
            raise CheckpointError(
                mark("%(file)s has format %(found)s, but this version reads %(known)s. Update Bot Factory."),
                file=path,
                found=repr(facts.get("format")),
                known=FORMAT,
            )
        if not _are_of_a_guard(arrays):
            raise _damaged(path) from StateError("its arrays don't make a guard")
        return cls(arrays["key"].tobytes(), arrays["vocabulary"], arrays["text"], arrays["ends"], arrays["wordless"])


@dataclass(frozen=True, slots=True)
class _Query:
    """A text as the guard compares it.

    words: indices into the vocabulary; places: positions of each word that a post has too; signs: fingerprint of the
    characters of a text without words, -1 if there are none.
    """

    words: list[int]
    places: Mapping[int, Sequence[int]]
    signs: int


def _are_of_a_guard(arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Return whether `CopyGuard` can take these arrays. A file that somebody imports can contain any."""
    dtypes = {"key": np.uint8, "vocabulary": np.uint64, "text": np.uint32, "ends": np.int64, "wordless": np.uint64}
    found = [arrays[name] for name, dtype in dtypes.items() if name in arrays and arrays[name].dtype == dtype]
    if len(found) < len(dtypes) or any(array.ndim != 1 for array in found):
        return False
    key, vocabulary, text, ends, wordless = found
    edges = np.append(0, ends)
    begins = edges[:-1]  # (P,)
    return bool(
        len(key) == _KEY_BYTES
        and (vocabulary[:-1] < vocabulary[1:]).all()
        and (text < len(vocabulary)).all()
        # Not np.diff, which overflows for some numbers.
        and (begins <= ends).all()
        and edges[-1] == len(text)
        and np.count_nonzero(begins == ends) == len(wordless)
    )


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(mark("The copy guard %(file)s is damaged. Restore the model from a backup."), file=path)


def _more_than_share(count: int) -> int:
    """Return the smallest number of words above 70 % of `count`."""
    part, whole = LARGEST_SHARE
    return count * part // whole + 1


def _closeness(found: Nearest) -> tuple[float, int, int]:
    return found.share, found.run, -found.post


def _fingerprint(text: str, key: bytes) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=key, digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _signs(text: str) -> str:
    """Return the characters of a text without words, such as emoji."""
    return own_text(text).replace(" ", "")


def _posts(text: NDArray[np.uint32], ends: NDArray[np.int64]) -> Iterator[NDArray[np.uint32]]:
    start = 0
    for end in ends.tolist():
        yield text[start:end]
        start = end


def _gram_hashes(fingerprints: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a hash of each run of 16 words: a polynomial in their fingerprints, modulo 2**64."""
    count = len(fingerprints) - _GRAM + 1
    hashes = np.zeros(count, np.uint64)
    for place in range(_GRAM):
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + fingerprints[place : place + count]
    return hashes
