"""New posts from a checkpoint, in NumPy alone: no TensorFlow in the process that writes.

All posts of a request run side by side as one batch. Which bytes may follow is asked of the vocabulary's automaton, so
that a post is always valid UTF-8, whatever the network says.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import SamplingConfig
from models_app.ml.errors import BadSampling
from models_app.ml.networks.registry import State, kind_of
from models_app.ml.vocabulary import AFTER_C2, ALLOWED, BOUNDARY, END, NEXT_STATE, decode, encode

from .banned_words import BanList, HouseBanList
from .copy_guard import CopyGuard
from .mentions import masked
from .outcome import Refused, Writing

#: How often a post is drawn until it is given up.
TRIES: Final = 10
#: How many characters are drawn in vain at least, for one post that does not end and for all of a request at most.
WASTE, MAX_WASTE = 280 * TRIES, 100 * 280 * TRIES
#: Once this many characters were drawn and no post has ended, the limit is out of reach.
HOPELESS: Final = 5 * WASTE
#: How often a post that does not end is drawn at least, however long it may be.
MIN_TRIES: Final = 3


def _barred_bytes() -> NDArray[np.float32]:
    """Return (STATES, 256): 0 where a byte may be drawn, minus infinity where not (control characters but newline)."""
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
    is_ended: bool = False
    # Where the network has given its end mark the best chance so far: length in bytes, and log probability
    best_end: int = 0
    best_chance: float = -math.inf
    # Once it has ended: the post as it is given out, or why it is refused
    post: str = ""
    refused: str | None = None


class Sampler:
    """Writes posts with one checkpoint. It holds nothing but read-only weights: several threads may use it at once."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._stepper = kind_of(checkpoint.network).stepper(checkpoint.network, checkpoint.weights)

    def generate(
        self,
        config: SamplingConfig,
        *,
        guard: CopyGuard | None = None,
        house: HouseBanList | None = None,
        accept: Callable[[str], bool] | None = None,
        on_post: Callable[[str], None] | None = None,
        proceed: Callable[[], None] | None = None,
    ) -> Writing:
        """Return up to `config.count` posts, the prompt included in each, and what was refused on the way.

        The same seed gives the same posts. Each post ends at the end mark that the network has set, and has something
        of the network's own behind the prompt. Refused and drawn again, up to 10 times in all, is one that has not come
        to its end at max_characters (below 280 more often, above it less), that adds nothing but space, that is a copy
        of a post that `guard` knows (or that `accept` rejects), or that holds a banned word, of `config.banned` or of
        `house`.
        Where `config.is_greedy` all posts would be the same, so there is one; if that finds no end, it gets it where
        the network gave its end mark the best chance.
        `on_post` gets each post as soon as it has ended and is not refused, the short ones of those side by side first;
        `proceed` is called before each step and may raise, which ends the writing.
        Raises BadSampling as `check` does.
        """
        check(config, house)
        prompt = encode(config.prompt)
        banned = BanList(config.banned)
        guard = guard if config.copy_guard else None
        posts: list[str] = []
        refused = Counter[str]()

        def judge(row: _Row) -> None:
            """The row has its post, or the reason why it is refused."""
            row.post = decode(row.symbols)
            if not row.is_ended:
                row.refused = "unfinished"
            elif row.post.strip() == config.prompt.strip():
                row.refused = "empty"
            elif (guard and guard.is_copy(row.post)) or (accept and not accept(row.post)):
                row.refused = "copies"
            else:
                # Names are masked last, so that no copy passes for another post.
                row.post = masked(row.post, prompt=config.prompt) if config.mask_mentions else row.post
                row.refused = "banned" if banned.finds(row.post) else None
                if row.refused is None and house is not None and house.finds(row.post):
                    row.refused = "house"
            if row.refused is None and on_post is not None:
                on_post(row.post)

        def take(row: _Row) -> str | None:
            """Adds the post, or returns why it is refused."""
            if row.refused is None:
                posts.append(row.post)
            return row.refused

        rng = np.random.default_rng(config.seed)
        if config.is_greedy:
            row = self._draw(config, prompt, 1, rng, _given_an_end(judge), proceed)[0]
            refused.update(filter(None, [take(row)]))
        else:
            # Within a low limit posts are cheap to draw, and fewer of them end.
            unfinished = max(MIN_TRIES, WASTE // config.max_characters)
            missing = [Counter[str]() for _ in range(config.count)]
            while missing and (waste := refused["unfinished"] * config.max_characters) < MAX_WASTE:
                if not posts and waste >= HOPELESS:
                    break
                open_posts, missing = missing, []
                rows = self._draw(config, prompt, len(open_posts), rng, judge, proceed)
                for row, tries in zip(rows, open_posts, strict=True):
                    if reason := take(row):
                        refused[reason] += 1
                        tries[reason] += 1
                        if tries["unfinished"] < unfinished and tries.total() - tries["unfinished"] < TRIES:
                            missing.append(tries)
        copies = refused["copies"] if guard or accept else None
        return Writing(
            posts, Refused(copies, refused["banned"], refused["unfinished"], refused["empty"], refused["house"])
        )

    def _draw(
        self,
        config: SamplingConfig,
        prompt: NDArray[np.uint8],
        count: int,
        rng: np.random.Generator,
        judge: Callable[[_Row], None],
        proceed: Callable[[], None] | None,
    ) -> list[_Row]:
        """Return `count` posts, drawn side by side, each judged as it ends; unfinished ones have max_characters."""
        rows = [_Row(bytearray(prompt.tobytes()), len(config.prompt)) for _ in range(count)]
        running = list(rows)
        logits, state = self._primed(prompt, count)
        automaton = np.full(count, BOUNDARY)
        while running:
            if proceed is not None:
                proceed()
            barred = _BARRED[automaton]  # (B, 256)
            if len(running[0].symbols) == prompt.size:
                barred = barred.copy()
                barred[:, END] = -np.inf  # a prompt alone is no post, nor is nothing
            if config.is_greedy:
                _note_chance_to_end(running[0], logits[0] + barred[0], len(config.prompt))
            temperature = 0 if config.is_greedy else config.temperature
            symbols = choose(logits + barred, temperature, config.top_k, rng, top_p=config.top_p)
            automaton = NEXT_STATE[automaton, symbols]
            drawn = zip(running, symbols.tolist(), (automaton == BOUNDARY).tolist(), strict=True)
            keep = [
                place
                for place, (row, symbol, whole) in enumerate(drawn)
                if _extend(row, symbol, whole, config.max_characters)
            ]
            if len(keep) < len(running):
                for place in sorted(set(range(len(running))) - set(keep)):
                    judge(running[place])
                running = [running[place] for place in keep]
                symbols, automaton = symbols[keep], automaton[keep]
                state = tuple(part[keep] for part in state)
            if running:
                logits, state = self._stepper.step(symbols, state)
        return rows

    def _primed(self, prompt: NDArray[np.uint8], count: int) -> tuple[NDArray[np.float32], State]:
        """Return logits (B, 256) and state after the start mark and the prompt; computed once for all rows."""
        logits, state = self._stepper.step(np.array([END]), self._stepper.start(1))
        for symbol in prompt:
            logits, state = self._stepper.step(np.array([symbol]), state)
        return np.repeat(logits, count, axis=0), tuple(np.repeat(part, count, axis=0) for part in state)


def check(config: SamplingConfig, house: HouseBanList | None = None) -> None:
    """Return where posts can be drawn so.

    Raises BadSampling for a prompt that leaves no room, that no text file can hold or that has a banned word.
    """
    try:
        encode(config.prompt)
    except ValueError as error:
        raise BadSampling(str(error)) from error
    if len(config.prompt) >= config.max_characters:
        raise BadSampling(
            f"The prompt leaves no room: it has {len(config.prompt)} of at most {config.max_characters} characters. "
            "Shorten the prompt or raise the limit."
        )
    if found := BanList(config.banned).finds(config.prompt):
        raise BadSampling(f"The prompt holds “{found}”, which is banned; change the prompt or the ban list.")
    if house is not None and (found := house.finds(config.prompt)):
        raise BadSampling(f"The prompt contains “{found}”, which no bot here may write. Change the prompt.")


def _given_an_end(judge: Callable[[_Row], None]) -> Callable[[_Row], None]:
    """For a greedy post, which would be the same once more: it ends where it most likely would."""

    def ended(row: _Row) -> None:
        if not row.is_ended:
            del row.symbols[row.best_end :]
            row.is_ended = True
        judge(row)

    return ended


def choose(
    logits: NDArray[Any], temperature: float, top_k: int, rng: np.random.Generator, *, top_p: float = 1.0
) -> NDArray[np.intp]:
    """Return one symbol a row (B,), drawn from softmax(logits / temperature) of logits (B, 256).

    Temperature 0 takes the likeliest. top_k > 0 draws among the k likeliest only; top_p < 1 among the fewest of these
    that together have at least that share of their probability (Holtzman et al. 2020). Logits of minus infinity are
    never drawn; each row needs a finite one.
    """
    if temperature == 0:
        likeliest: NDArray[np.intp] = logits.argmax(axis=1)
        return likeliest
    picks = None
    if 0 < top_k < logits.shape[1]:
        picks = np.argpartition(logits, -top_k, axis=1)[:, -top_k:]
        logits = np.take_along_axis(logits, picks, axis=1)
    if top_p < 1:
        order = np.argsort(-logits, axis=1, kind="stable")
        picks = order if picks is None else np.take_along_axis(picks, order, axis=1)
        logits = np.take_along_axis(logits, order, axis=1)
    best = logits.argmax(axis=1)
    # Doubles, and the maximum taken off first: a tiny temperature must give the likeliest symbol, not an overflow.
    scaled = (logits - logits.max(axis=1, keepdims=True)).astype(np.float64) / temperature
    sums = np.exp(scaled).cumsum(axis=1)
    total, last = sums[:, -1], np.full(len(sums), sums.shape[1] - 1)
    if top_p < 1:
        # The first sum that reaches the share is that of the last symbol to draw from.
        last = (sums < top_p * total[:, None]).sum(axis=1)
        total = np.take_along_axis(sums, last[:, None], axis=1)[:, 0]
    drawn: NDArray[np.intp] = (sums <= (rng.random(len(sums)) * total)[:, None]).sum(axis=1)
    # Rounding can put the draw on the very end of the sum, behind the last symbol.
    drawn = np.where(drawn > last, best, drawn)
    if picks is not None:
        drawn = np.take_along_axis(picks, drawn[:, None], axis=1)[:, 0]
    return drawn


def _extend(row: _Row, symbol: int, whole: bool, limit: int) -> bool:
    """Takes in the symbol; returns whether the post goes on. `whole`: the symbol completes a character."""
    # At the limit one more symbol is drawn, which tells whether the post ends just there.
    if symbol == END or row.characters == limit:
        row.is_ended = symbol == END
        return False
    row.symbols.append(symbol)
    row.characters += whole
    return True


def _note_chance_to_end(row: _Row, logits: NDArray[Any], prompt_characters: int) -> None:
    """Keeps the place, behind the prompt, at which the network gives its end mark the highest probability."""
    if row.characters > prompt_characters and logits[END] > -math.inf:
        chance = float(logits[END] - logits.max() - np.log(np.exp(logits - logits.max()).sum()))
        if chance > row.best_chance:
            row.best_chance, row.best_end = chance, len(row.symbols)
