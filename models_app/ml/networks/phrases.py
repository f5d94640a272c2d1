"""A person's recurring phrases, and how they change what a fluent bot predicts.

A short fine-tune teaches a pretrained model the style of a person better than their names, hashtags and sayings. So a
bot also counts what follows one, two or three symbols in the posts that it learns. While it writes, the network's
probabilities are mixed with those of the longest known context (a cache model: "A cache-based natural language model
for speech recognition", Kuhn and De Mori 1990, with a fixed cache). Only what occurs in at least MIN_POSTS posts is
kept, so what a person said once can't be read from it.

The weight of the counts is SHARES[k - 1] n / (n + d) for a context of k symbols that occurred n times and was followed
by d different symbols: method C of "The zero-frequency problem", Witten and Bell 1991, times a constant.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from .states import State

if TYPE_CHECKING:
    from .registry import Stepper

#: The number of posts in which a symbol must follow a context to be kept.
MIN_POSTS: Final = 2
#: The longest context, in symbols.
ORDER: Final = 3
#: For contexts of one, two and three symbols, measured on the posts of five people (docs/fluent.md).
SHARES: Final = (0.12, 0.25, 0.6)
#: The most symbols that are counted, the newest ones: counting takes memory.
MAX_SYMBOLS: Final = 100_000
#: The most symbols after contexts that are kept: no more can be in MIN_POSTS posts that are counted at once.
MAX_KEPT: Final = ORDER * MAX_SYMBOLS // MIN_POSTS
#: What is before a post's start mark.
NONE: Final = -1
BEFORE: Final = (NONE,) * (ORDER - 1)
#: The last ORDER symbols, the newest one last.
Context = tuple[int, ...]
_NAMES: Final = ("contexts", "starts", "symbols", "counts", "totals", "kinds", "trust")


class BadPhrases(Exception):
    """The bytes don't hold phrases."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What follows a context: symbols (S,), their probabilities (S,) times the weight of the counts, and their sum."""

    symbols: NDArray[np.int32]
    shares: NDArray[np.float64]
    whole: float


class Phrases:
    """What followed N contexts, M symbols in all.

    contexts: (N, ORDER), the last symbols, NONE where the context is shorter; starts: (N + 1,), where those of a
    context begin; symbols, counts: (M,); totals, kinds: (N,), how often the context occurred and how many different
    symbols followed it, those that aren't kept included; trust: a factor of the weight, from 0 to 1.
    """

    def __init__(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._arrays = arrays
        self.trust = float(arrays["trust"])
        starts = arrays["starts"].tolist()
        self._places = {
            tuple(context): (number, starts[number], starts[number + 1])
            for number, context in enumerate(arrays["contexts"].tolist())
        }

    @classmethod
    def of(cls, posts: Sequence[NDArray[Any]], end: int, *, beside: Phrases | None = None) -> Self:
        """Return the phrases of these posts (symbols without end marks, oldest first), with a trust of 1.

        Those of `beside`, which was counted in other posts, are added. Of more than MAX_KEPT, the most frequent stay.
        """
        followed: defaultdict[Context, Counter[int]] = defaultdict(Counter)
        posts_with: Counter[tuple[Context, int]] = Counter()
        for post in newest(posts):
            seen = set()
            last = (*BEFORE, end)
            for symbol in [*post.tolist(), end]:
                for context in _parts_of(last):
                    followed[context][symbol] += 1
                    seen.add((context, symbol))
                last = (*last[1:], symbol)
            posts_with.update(seen)
        # What `beside` has seen, but not kept: how often in all, and how many different symbols
        left_out: dict[Context, tuple[int, int]] = {}
        for context, (found, total, kinds) in (beside.counts() if beside else {}).items():
            left_out[context] = total - sum(found.values()), kinds - len(found)
            followed[context].update(found)
            posts_with.update(dict.fromkeys(((context, symbol) for symbol in found), MIN_POSTS))
        members = [
            (n, context, symbol)
            for context, counts in followed.items()
            for symbol, n in counts.items()
            if posts_with[context, symbol] >= MIN_POSTS
        ]
        if len(members) > MAX_KEPT:
            members = sorted(members, key=lambda member: -member[0])[:MAX_KEPT]
        kept: defaultdict[Context, list[tuple[int, int]]] = defaultdict(list)
        for n, context, symbol in members:
            kept[context].append((symbol, n))
        pairs = [pair for found in kept.values() for pair in found]
        more = [left_out.get(context, (0, 0)) for context in kept]
        totals = [followed[context].total() + times for context, (times, _) in zip(kept, more, strict=True)]
        kinds_of = [len(followed[context]) + kinds for context, (_, kinds) in zip(kept, more, strict=True)]
        return cls(
            {
                "contexts": np.array(list(kept), np.int32).reshape(-1, ORDER),
                "starts": np.cumsum([0, *map(len, kept.values())], dtype=np.int32),
                "symbols": np.array([symbol for symbol, _ in pairs], np.int32),
                "counts": np.array([n for _, n in pairs], np.int32),
                "totals": np.array(totals, np.int32),
                "kinds": np.array(kinds_of, np.int32),
                "trust": np.array(1, np.float32),
            }
        )

    def counts(self) -> dict[Context, tuple[dict[int, int], int, int]]:
        """Return for each context how often which symbols followed it, its total and its kinds."""
        symbols, counts, totals, kinds = (self._arrays[name].tolist() for name in _NAMES[2:6])
        return {
            context: (dict(zip(symbols[begin:end], counts[begin:end], strict=True)), totals[number], kinds[number])
            for context, (number, begin, end) in self._places.items()
        }

    def trusted(self, trust: float) -> Phrases:
        """Return the same with another trust."""
        return Phrases({**self._arrays, "trust": np.array(trust, np.float32)})

    def __len__(self) -> int:
        return len(self._arrays["symbols"])

    @property
    def nbytes(self) -> int:
        """The bytes in memory, about."""
        # Two tuples of three numbers each, in a dictionary
        return sum(array.nbytes for array in self._arrays.values()) + 250 * len(self._places)

    def to_bytes(self) -> bytes:
        """Return what `from_bytes` reads."""
        data: bytes = save_tensors(self._arrays)
        return data

    @classmethod
    def from_bytes(cls, data: bytes, symbols: int) -> Self:
        """Return the phrases of a vocabulary with so many symbols. Raises BadPhrases if there are none in the bytes."""
        try:
            arrays = load_tensors(data)
        except (SafetensorError, ValueError, KeyError) as error:  # KeyError: a type that NumPy doesn't have
            raise BadPhrases(str(error)) from error
        if set(arrays) != set(_NAMES) or any(
            array.dtype != (np.float32 if name == "trust" else np.int32) for name, array in arrays.items()
        ):
            raise BadPhrases("It has other arrays.")
        if not _fits(arrays, symbols):
            raise BadPhrases("Its arrays don't belong together.")
        return cls(arrays)

    def mixed(self, logits: NDArray[np.float32], contexts: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits (B, V) whose probabilities are mixed with those of what followed the contexts (B, ORDER)."""
        found = np.array(logits)
        for row, context in zip(found, contexts.tolist(), strict=True):
            known = self._after(tuple(context))
            if known is not None:
                top = row.max()
                norm = top + np.log(np.exp(row - top).sum(dtype=np.float64))
                row += np.float32(np.log1p(-known.whole))
                row[known.symbols] = np.logaddexp(row[known.symbols], np.log(known.shares) + norm)
        return found

    def surprisals(
        self, surprisals: NDArray[Any], contexts: NDArray[np.int64], targets: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Return -ln of each target's (T,) probability after its context (T, ORDER); the network's is given."""
        chances = np.exp(-surprisals.astype(np.float64))
        for place, (context, target) in enumerate(zip(contexts.tolist(), targets.tolist(), strict=True)):
            known = self._after(tuple(context))
            if known is not None:
                chances[place] *= 1 - known.whole
                chances[place] += known.shares[known.symbols == target].sum()
        return -np.log(chances)

    def _after(self, last: Context) -> _Known | None:
        """Return what follows the longest known context."""
        for length, context in reversed(list(enumerate(_parts_of(last)))):
            place = self._places.get(context)
            if place is not None:
                number, begin, end = place
                total, kinds = int(self._arrays["totals"][number]), int(self._arrays["kinds"][number])
                weight = self.trust * SHARES[length] * total / (total + kinds)
                shares = weight / total * self._arrays["counts"][begin:end].astype(np.float64)
                return _Known(self._arrays["symbols"][begin:end], shares, float(shares.sum()))
        return None


@dataclass(frozen=True, slots=True)
class Recalled:
    """The state of a network, and the last symbols (B, ORDER) of each text."""

    inner: State
    contexts: NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        return self.inner.nbytes + self.contexts.nbytes

    def pick(self, rows: NDArray[np.intp]) -> Recalled:
        return Recalled(self.inner.pick(rows), self.contexts[rows])

    def fork(self, count: int) -> Recalled:
        return Recalled(self.inner.fork(count), np.repeat(self.contexts[:1], count, axis=0))


class Recalling:
    """A stepper of a network whose predictions are mixed with phrases."""

    def __init__(self, inner: Stepper, phrases: Phrases, end: int) -> None:
        self._inner, self._phrases, self._end = inner, phrases, end
        self.reads_at_once, self.rows_at_once = inner.reads_at_once, inner.rows_at_once

    def rows_of(self, characters: int) -> int:
        """Return how many texts of up to so many characters to step side by side at most."""
        return self._inner.rows_of(characters)

    @property
    def nbytes(self) -> int:
        """The bytes of the weights that belong to this one alone, and of the phrases."""
        return self._inner.nbytes + self._phrases.nbytes

    def start(self, rows: int) -> Recalled:
        """Return the state of this many texts before their start mark."""
        return Recalled(self._inner.start(rows), np.full((rows, ORDER), NONE, np.int64))

    def step(self, symbols: NDArray[Any], state: Recalled) -> tuple[NDArray[np.float32], Recalled]:
        """Return the logits (B, size) of the symbol after `symbols` (B,), and the new state."""
        return self._recalled(*self._inner.step(symbols, state.inner), state.contexts, symbols[:, None])

    def steps(self, steps: Sequence[tuple[NDArray[Any], Recalled]]) -> list[tuple[NDArray[np.float32], Recalled]]:
        """Return what `step` returns for each batch's symbols and state, in one pass over the weights."""
        found = self._inner.steps([(symbols, state.inner) for symbols, state in steps])
        return [
            self._recalled(*stepped, state.contexts, symbols[:, None])
            for stepped, (symbols, state) in zip(found, steps, strict=True)
        ]

    def read(self, symbols: NDArray[Any], state: Recalled) -> tuple[NDArray[np.float32], Recalled]:
        """Return the logits (B, size) of the symbol after the last of `symbols` (B, T), and the new state."""
        return self._recalled(*self._inner.read(symbols, state.inner), state.contexts, symbols)

    def _recalled(
        self, logits: NDArray[np.float32], inner: State, contexts: NDArray[np.int64], symbols: NDArray[Any]
    ) -> tuple[NDArray[np.float32], Recalled]:
        for column in symbols.T[-ORDER:]:
            contexts = contexts_after(contexts, column, self._end)
        return self._phrases.mixed(logits, contexts), Recalled(inner, contexts)


def contexts_after(contexts: NDArray[np.int64], symbols: NDArray[Any], end: int) -> NDArray[np.int64]:
    """Return the contexts (B, ORDER) after these symbols (B,). A post doesn't know the one before it."""
    last = symbols.astype(np.int64)[:, None]
    return np.concatenate([np.where(last == end, NONE, contexts[:, 1:]), last], axis=1)


def _parts_of(last: Context) -> Iterator[Context]:
    """Yield the contexts of one, two, ... symbols that end these, as far as there are any."""
    for length in range(1, ORDER + 1):
        if last[-length] == NONE:
            return
        yield (NONE,) * (ORDER - length) + last[-length:]


def newest(posts: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
    """Return the newest of these posts (symbols, oldest first) that `Phrases.of` counts."""
    sizes = np.cumsum([post.size + 1 for post in reversed(posts)])
    count = int(np.searchsorted(sizes, MAX_SYMBOLS, side="right"))
    return posts[len(posts) - count :]


def _fits(arrays: dict[str, NDArray[Any]], symbols: int) -> bool:
    """Return whether the arrays are those of phrases, so that nothing that reads them can fail."""
    contexts, starts, members, counts, totals, kinds, trust = (arrays[name] for name in _NAMES)
    number = contexts.shape[0] if contexts.ndim else 0
    if contexts.shape != (number, ORDER) or starts.shape != (number + 1,) or trust.shape != ():
        return False
    if totals.shape != (number,) or kinds.shape != (number,) or members.ndim != 1 or counts.shape != members.shape:
        return False
    if starts[0] != 0 or starts[-1] != members.size or (np.diff(starts) < 1).any() or not 0 <= trust <= 1:
        return False
    if number == 0:
        return True
    sums = np.add.reduceat(counts.astype(np.int64), starts[:-1])
    return bool(
        contexts.min() >= NONE
        and contexts.max() < symbols
        and members.min() >= 0
        and members.max() < symbols
        and counts.min() >= 1
        and kinds.min() >= 1
        and (sums <= totals).all()
    )
