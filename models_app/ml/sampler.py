"""New posts from a checkpoint, in NumPy alone: no TensorFlow in the process that writes.

All posts of a request run side by side as one batch. Which bytes may follow is asked of the vocabulary's automaton, so
that a post is always valid UTF-8, whatever the network says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .checkpoint import Checkpoint
from .config import SamplingConfig
from .errors import BadSampling
from .kinds import State, kind_of
from .vocabulary import AFTER_C2, ALLOWED, BOUNDARY, END, NEXT_STATE, decode, encode

ROUNDS: Final = 10
_JOINER: Final = "\u200d"


def _barred_bytes() -> NDArray[np.float32]:
    """Returns (STATES, 256): 0 where a byte may be drawn, minus infinity where not (control characters but newline)."""
    may = ALLOWED.copy()
    may[BOUNDARY, :0x20] = False
    may[BOUNDARY, ord("\n")] = True
    may[BOUNDARY, 0x7F] = False
    may[AFTER_C2, 0x80:0xA0] = False
    return np.where(may, 0, -np.inf).astype(np.float32)


_BARRED: Final = _barred_bytes()


@dataclass(slots=True)
class _Row:
    """One post that is being written."""

    symbols: bytearray
    characters: int
    spare: int | None = None  # the symbol drawn beyond the limit, which tells whether the post ended just there


class Sampler:
    """Writes posts with one checkpoint. It holds nothing but read-only weights: several threads may use it at once."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._stepper = kind_of(checkpoint.network).stepper(checkpoint.weights)

    def generate(self, config: SamplingConfig, *, accept: Callable[[str], bool] | None = None) -> list[str]:
        """Returns up to `config.count` posts, the prompt included in each.

        The same seed gives the same posts. Posts that are blank or that `accept` rejects are drawn again, up to 10
        rounds; those still rejected are left out. A post that has not ended at max_characters ends at its last whole
        word.
        Raises BadSampling for a prompt that leaves no room or that no text file can hold.
        """
        try:
            prompt = encode(config.prompt)
        except ValueError as error:
            raise BadSampling(str(error)) from error
        if len(config.prompt) >= config.max_characters:
            raise BadSampling(
                f"The prompt has {len(config.prompt)} characters, which leaves no room in a post of at most "
                f"{config.max_characters}; shorten the prompt or raise the limit."
            )
        rng = np.random.default_rng(config.seed)
        posts: list[str] = []
        for _ in range(ROUNDS):
            drawn = self._draw(config, prompt, config.count - len(posts), rng)
            posts += [post for post in drawn if post.strip() and (accept is None or accept(post))]
            # At temperature 0 another round would write the same again.
            if len(posts) == config.count or config.temperature == 0:
                break
        return posts

    def _draw(
        self, config: SamplingConfig, prompt: NDArray[np.uint8], count: int, rng: np.random.Generator
    ) -> list[str]:
        """Returns `count` posts, drawn side by side."""
        rows = [_Row(bytearray(prompt.tobytes()), len(config.prompt)) for _ in range(count)]
        running = list(rows)
        logits, state = self._primed(prompt, count)
        automaton = np.full(count, BOUNDARY)
        while running:
            barred = _BARRED[automaton]  # (B, 256)
            if len(running[0].symbols) == 0:
                barred = barred.copy()
                barred[:, END] = -np.inf  # no empty post
            symbols = choose(logits + barred, config.temperature, config.top_k, rng)
            automaton = NEXT_STATE[automaton, symbols]
            drawn = zip(running, symbols.tolist(), (automaton == BOUNDARY).tolist(), strict=True)
            keep = [
                place
                for place, (row, symbol, whole) in enumerate(drawn)
                if _extend(row, symbol, whole, config.max_characters)
            ]
            if len(keep) < len(running):
                running = [running[place] for place in keep]
                symbols, automaton = symbols[keep], automaton[keep]
                state = tuple(part[keep] for part in state)
            if running:
                logits, state = self._stepper.step(symbols, state)
        return [_finished(row, config) for row in rows]

    def _primed(self, prompt: NDArray[np.uint8], count: int) -> tuple[NDArray[np.float32], State]:
        """Returns logits (B, 256) and state after the start mark and the prompt; computed once for all rows."""
        logits, state = self._stepper.step(np.array([END]), self._stepper.start(1))
        for symbol in prompt:
            logits, state = self._stepper.step(np.array([symbol]), state)
        return np.repeat(logits, count, axis=0), tuple(np.repeat(part, count, axis=0) for part in state)


def choose(logits: NDArray[Any], temperature: float, top_k: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Returns one symbol a row (B,), drawn from softmax(logits / temperature) of logits (B, 256).

    Temperature 0 takes the likeliest. top_k > 0 draws among the k likeliest only. Logits of minus infinity are never
    drawn; each row needs a finite one.
    """
    if temperature == 0:
        likeliest: NDArray[np.intp] = logits.argmax(axis=1)
        return likeliest
    picks = None
    if 0 < top_k < logits.shape[1]:
        picks = np.argpartition(logits, -top_k, axis=1)[:, -top_k:]
        logits = np.take_along_axis(logits, picks, axis=1)
    best = logits.argmax(axis=1)
    # Doubles, and the maximum taken off first: a tiny temperature must give the likeliest symbol, not an overflow.
    scaled = (logits - logits.max(axis=1, keepdims=True)).astype(np.float64) / temperature
    sums = np.exp(scaled).cumsum(axis=1)
    drawn: NDArray[np.intp] = (sums <= rng.random((len(sums), 1)) * sums[:, -1:]).sum(axis=1)
    # Rounding can put the draw on the very end of the sum, behind the last symbol.
    drawn = np.where(drawn == logits.shape[1], best, drawn)
    if picks is not None:
        drawn = np.take_along_axis(picks, drawn[:, None], axis=1)[:, 0]
    return drawn


def _extend(row: _Row, symbol: int, whole: bool, limit: int) -> bool:
    """Takes in the symbol; returns whether the post goes on. `whole`: the symbol completes a character."""
    if row.characters == limit:
        row.spare = symbol
        return False
    if symbol == END:
        return False
    row.symbols.append(symbol)
    row.characters += whole
    return True


def _finished(row: _Row, config: SamplingConfig) -> str:
    text = decode(row.symbols)
    if row.spare is None or row.spare == END:
        return text
    return cut_at_word(text, following=chr(row.spare) if row.spare < 0x80 else "x", at_least=len(config.prompt))


def cut_at_word(text: str, *, following: str, at_least: int) -> str:
    """Returns the text up to its last whole word, when it would have gone on with `following`.

    Keeps more than `at_least` characters: one endless word is cut behind a whole character instead.
    """
    if following.isspace():
        return text.rstrip() or text
    end = next((index for index in range(len(text) - 1, at_least, -1) if text[index].isspace()), 0)
    kept = text[:end].rstrip()
    if len(kept) > at_least:
        return kept
    # A joined emoji that is not complete must not end in its joiner.
    return text[: at_least + 1] + text[at_least + 1 :].rstrip(_JOINER)
