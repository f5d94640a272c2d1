"""Samples new posts from a checkpoint. NumPy only, so web processes don't need TensorFlow.

All posts of a request are sampled as one batch. The vocabulary restricts each next symbol, so a post is always valid
UTF-8, whatever the network predicts.

A request is a generator that yields each step it needs from the network, so whoever runs it decides when, and beside
which others of the same model (models_app/writing/engine.py).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import SamplingConfig
from models_app.ml.errors import BadSampling, BadSetting, mark
from models_app.ml.networks.registry import kind_of
from models_app.ml.networks.states import State
from models_app.ml.vocabulary import Symbols, Vocabulary, vocabulary_of
from models_app.ml.vocabulary.utf8 import BOUNDARY, utf8

from .banned_words import BanList, HouseBanList
from .choosing import choose
from .context import state_after
from .copy_guard import CopyGuard
from .mentions import masked
from .outcome import Refused, Writing

#: The number of tries for each post.
TRIES: Final = 10
#: The characters to spend on unfinished posts: for each post, and at most for the whole request.
WASTE, MAX_WASTE = 280 * TRIES, 100 * 280 * TRIES
#: If no post has ended after this many characters, the length limit is too low.
HOPELESS: Final = 5 * WASTE
#: The minimum number of tries for a post that doesn't end, whatever its length limit.
MIN_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Step:
    """A step that a request needs: after `symbols` (B,), from `state`; None is the state before a post.

    Symbols (B, T) are a part of the prompt.
    """

    symbols: NDArray[Any]
    state: State | None


#: Returns whether a post contains personal data beyond its prompt.
HasPersonal = Callable[[str, str], bool]
#: Logits (B, size) and the new state.
Stepped = tuple[NDArray[np.float32], State]
#: A request under way: yields each step that it needs and is sent its result.
Drawing = Generator[Step, Stepped, Writing]


@dataclass(slots=True)
class _Row:
    """A post in progress. `text` is in UTF-8; `characters` counts the complete ones."""

    text: bytearray
    characters: int
    is_ended: bool = False
    # The most likely end so far: length in bytes, and log probability of the end mark
    best_end: int = 0
    best_chance: float = -math.inf
    # Set at the end: the final post, or the reason for its rejection
    post: str = ""
    refused: str | None = None


class Sampler:
    """Generates posts from a checkpoint. Several threads can use it at once.

    With `context`, each new post is written as if it came after these posts.
    """

    def __init__(self, checkpoint: Checkpoint, context: Sequence[str] = ()) -> None:
        # Before the vocabulary, which a pretrained model brings with it.
        self._stepper = kind_of(checkpoint.network).stepper(checkpoint.network, checkpoint.weights)
        self._vocabulary = vocabulary_of(checkpoint.network)
        self._begun = state_after(context, self._stepper, self._vocabulary)

    def generate(
        self,
        config: SamplingConfig,
        *,
        guard: CopyGuard | None = None,
        house: HouseBanList | None = None,
        personal: HasPersonal | None = None,
        accept: Callable[[str], bool] | None = None,
        on_post: Callable[[str], None] | None = None,
        proceed: Callable[[], None] | None = None,
    ) -> Writing:
        """Return up to `config.count` posts, each including the prompt, and the number of rejected ones.

        The same seed gives the same posts. Each post ends at an end mark from the network and continues the prompt.

        A post is rejected and drawn again, up to 10 tries in total, if it doesn't end within max_characters (more tries
        below 280 characters, fewer above), adds only spaces, copies a post that `guard` knows (or `accept` returns
        False), contains a banned word of `config.banned` or `house`, or personal data that `personal` finds.

        With `config.is_greedy`, all posts would be the same, so there's only one. If it doesn't end, it's cut where the
        end mark was most likely.

        Calls `on_post` with each accepted post as soon as it ends, so shorter posts come first. Calls `proceed` before
        each step; if it raises, generation ends. Raises BadSampling as `check` does.
        """
        drawing = self.draw(config, guard=guard, house=house, personal=personal, accept=accept, on_post=on_post)
        try:
            step = next(drawing)
            while True:
                if proceed is not None:
                    proceed()
                step = drawing.send(self.step(step))
        except StopIteration as end:
            writing: Writing = end.value
            return writing

    @property
    def nbytes(self) -> int:
        """Return the bytes of its own weights and of its context."""
        return self._stepper.nbytes + (0 if self._begun is None else self._begun.nbytes)

    def step(self, step: Step) -> Stepped:
        """Return the result of a step."""
        symbols, state = step.symbols, self._state(step)
        return self._stepper.step(symbols, state) if symbols.ndim == 1 else self._stepper.read(symbols, state)

    def steps(self, steps: Sequence[Step]) -> list[Stepped]:
        """Return the result of each step, in one pass over the weights: exactly what `step` returns for each."""
        single = [step for step in steps if step.symbols.ndim == 1]
        if len(single) < 2:
            return [self.step(step) for step in steps]
        found = iter(self._stepper.steps([(step.symbols, self._state(step)) for step in single]))
        return [next(found) if step.symbols.ndim == 1 else self.step(step) for step in steps]

    def _state(self, step: Step) -> State:
        return self._stepper.start(len(step.symbols)) if step.state is None else step.state

    def draw(
        self,
        config: SamplingConfig,
        *,
        guard: CopyGuard | None = None,
        house: HouseBanList | None = None,
        personal: HasPersonal | None = None,
        accept: Callable[[str], bool] | None = None,
        on_post: Callable[[str], None] | None = None,
    ) -> Drawing:
        """Yield each step that `generate` needs, and return what it returns."""
        check(config, house)
        prompt = _Prompt.of(config.prompt, self._vocabulary)
        banned = BanList(config.banned)
        guard = guard if config.copy_guard else None
        personal = personal if config.personal_guard else None
        posts: list[str] = []
        refused = Counter[str]()

        def judge(row: _Row) -> None:
            """Set the row's post, or the reason for its rejection."""
            if not row.is_ended:
                row.refused = "unfinished"  # perhaps in the middle of a character
                return
            row.post = row.text.decode()
            if row.post.strip() == config.prompt.strip():
                row.refused = "empty"
            elif (guard and guard.is_copy(row.post)) or (accept and not accept(row.post)):
                row.refused = "copies"
            else:
                # Masked after the copy check, so that a mask can't hide a copy.
                row.post = masked(row.post, prompt=config.prompt) if config.mask_mentions else row.post
                row.refused = "banned" if banned.finds(row.post) else None
                if row.refused is None and house is not None and house.finds(row.post):
                    row.refused = "house"
                if row.refused is None and personal is not None and personal(row.post, config.prompt):
                    row.refused = "personal"
            if row.refused is None and on_post is not None:
                on_post(row.post)

        def take(row: _Row) -> str | None:
            """Add the post, or return the reason for its rejection."""
            if row.refused is None:
                posts.append(row.post)
            return row.refused

        rng = np.random.default_rng(config.seed)
        if config.is_greedy:
            row = (yield from self._draw(config, prompt, 1, rng, _given_an_end(judge)))[0]
            refused.update(filter(None, [take(row)]))
        else:
            # With a low limit, posts are cheap to draw and fewer of them end.
            unfinished = max(MIN_TRIES, WASTE // config.max_characters)
            missing = [Counter[str]() for _ in range(config.count)]
            while missing and (waste := refused["unfinished"] * config.max_characters) < MAX_WASTE:
                if not posts and waste >= HOPELESS:
                    break
                open_posts, missing = missing, []
                rows = yield from self._draw(config, prompt, len(open_posts), rng, judge)
                for row, tries in zip(rows, open_posts, strict=True):
                    if reason := take(row):
                        refused[reason] += 1
                        tries[reason] += 1
                        if tries["unfinished"] < unfinished and tries.total() - tries["unfinished"] < TRIES:
                            missing.append(tries)
        copies = refused["copies"] if guard or accept else None
        reasons = {reason: refused[reason] for reason in ("banned", "unfinished", "empty", "house", "personal")}
        return Writing(posts, Refused(copies, **reasons))

    def _draw(
        self,
        config: SamplingConfig,
        prompt: _Prompt,
        count: int,
        rng: np.random.Generator,
        judge: Callable[[_Row], None],
    ) -> Generator[Step, Stepped, list[_Row]]:
        """Return `count` posts, drawn as a batch and judged as each ends. Unfinished ones have max_characters."""
        vocabulary, tables = self._vocabulary, self._vocabulary.tables
        rows = [_Row(bytearray(prompt.begun), prompt.characters) for _ in range(count)]
        running = list(rows)
        logits, state = yield from self._primed(prompt, count)
        automaton = np.full(count, prompt.state)
        in_prompt = True
        while running:
            barred = tables.barred[automaton]  # (B, size)
            in_prompt = in_prompt and _hold_to(prompt, running, barred, vocabulary)
            if config.is_greedy:
                _note_chance_to_end(running[0], logits[0] + barred[0], vocabulary.end, len(config.prompt))
            temperature = 0 if config.is_greedy else config.temperature
            symbols = choose(logits + barred, temperature, config.top_k, rng, top_p=config.top_p)
            completed = tables.completed[automaton, symbols].tolist()
            automaton = tables.next_state[automaton, symbols]
            drawn = zip(running, symbols.tolist(), completed, strict=True)
            keep = [
                place
                for place, (row, symbol, characters) in enumerate(drawn)
                if _extend(row, vocabulary.symbol_bytes[symbol], characters, symbol == vocabulary.end, config)
            ]
            if len(keep) < len(running):
                for place in sorted(set(range(len(running))) - set(keep)):
                    judge(running[place])
                running = [running[place] for place in keep]
                symbols, automaton = symbols[keep], automaton[keep]
                state = state.pick(np.array(keep, np.intp))
            if running:
                logits, state = yield Step(symbols, state)
        return rows

    def _primed(self, prompt: _Prompt, count: int) -> Generator[Step, Stepped, Stepped]:
        """Return logits (B, size) and state after the start mark and the prompt, computed once for all rows."""
        symbols = np.append(np.array(self._vocabulary.end, self._vocabulary.dtype), prompt.symbols)
        at_once = self._stepper.reads_at_once
        parts = [symbols[begin : begin + at_once] for begin in range(0, len(symbols), at_once)]
        first, *others = [part if len(part) == 1 else part[None] for part in parts]
        logits, state = yield Step(first, None if self._begun is None else self._begun.fork(1))
        for part in others:
            logits, state = yield Step(part, state)
        return np.repeat(logits, count, axis=0), state.fork(count)


@dataclass(frozen=True, slots=True)
class _Prompt:
    """How posts begin.

    whole: the prompt in UTF-8; begun: the part of it that the network reads, as `symbols`; characters: the complete
    ones in `begun`; state: of the automaton after `begun`. The rest of the prompt is drawn, from the symbols that
    continue it, because the symbols of a whole word can be others than those of its beginning.
    """

    whole: bytes
    begun: bytes
    symbols: Symbols
    characters: int
    state: int

    @classmethod
    def of(cls, text: str, vocabulary: Vocabulary) -> _Prompt:
        symbols, pending = vocabulary.heal(vocabulary.encode(text))
        tables, whole = vocabulary.tables, utf8(text)
        state, characters = BOUNDARY, 0
        for symbol in symbols.tolist():
            characters += int(tables.completed[state, symbol])
            state = int(tables.next_state[state, symbol])
        return cls(whole, whole[: len(whole) - len(pending)], symbols, characters, state)


def _hold_to(prompt: _Prompt, rows: list[_Row], barred: NDArray[np.float32], vocabulary: Vocabulary) -> bool:
    """Bar the symbols (B, size) that don't continue the prompt; return whether any row hasn't got past it."""
    held = False
    for row, line in zip(rows, barred, strict=True):
        if len(row.text) < len(prompt.whole):
            possible = vocabulary.continuing(prompt.whole[len(row.text) :])
            kept = line[possible]
            line[:] = -np.inf
            line[possible] = kept
        elif len(row.text) == len(prompt.whole):
            line[vocabulary.end] = -np.inf  # the prompt alone isn't a post
        else:
            continue
        held = True
    return held


def check(config: SamplingConfig, house: HouseBanList | None = None) -> None:
    """Raise BadSampling for a prompt that leaves no room, can't be encoded as UTF-8 or contains a banned word."""
    try:
        utf8(config.prompt)
    except BadSetting as error:
        raise BadSampling(error.template, **error.values) from error
    if len(config.prompt) >= config.max_characters:
        raise BadSampling(
            mark(
                "The prompt leaves no room: it has %(count)s characters, and the limit is %(max_characters)s. "
                "Shorten the prompt or raise the limit."
            ),
            count=len(config.prompt),
            max_characters=config.max_characters,
        )
    if found := BanList(config.banned).finds(config.prompt):
        raise BadSampling(
            mark("The prompt contains “%(found)s”, which is banned. Change the prompt or the ban list."), found=found
        )
    if house is not None and (found := house.finds(config.prompt)):
        raise BadSampling(
            mark("The prompt contains “%(found)s”, which no bot here may write. Change the prompt."), found=found
        )


def _given_an_end(judge: Callable[[_Row], None]) -> Callable[[_Row], None]:
    """Wrap `judge` for a greedy post, which a retry wouldn't change: cut it where the end mark was most likely."""

    def ended(row: _Row) -> None:
        if not row.is_ended and row.best_end:
            del row.text[row.best_end :]
            row.is_ended = True
        judge(row)

    return ended


def _extend(row: _Row, data: bytes, characters: int, is_end: bool, config: SamplingConfig) -> bool:
    """Append a symbol, its bytes and the characters it completes; return whether the post continues."""
    room = config.max_characters - row.characters
    # At the limit, one more symbol is drawn to find out whether the post ends exactly there.
    if is_end or room == 0 or characters > room:
        row.is_ended = is_end
        return False
    row.text += data
    row.characters += characters
    return True


def _note_chance_to_end(row: _Row, logits: NDArray[Any], end: int, prompt_characters: int) -> None:
    """Remember the place after the prompt with the highest probability of the end mark."""
    if row.characters > prompt_characters and logits[end] > -math.inf:
        chance = float(logits[end] - logits.max() - np.log(np.exp(logits - logits.max()).sum()))
        if chance > row.best_chance:
            row.best_chance, row.best_end = chance, len(row.text)
