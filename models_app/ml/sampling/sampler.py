"""Samples new posts from a checkpoint. NumPy only, so web processes don't need TensorFlow.

All posts of a request are sampled as one batch. The vocabulary restricts each next symbol, so a post is always valid
UTF-8, whatever the network predicts.

A request is a generator that yields each step it needs from the network, so whoever runs it decides when, and beside
which others of the same model (models_app/writing/engine.py).
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import SamplingConfig
from models_app.ml.errors import BadSampling, BadSetting, BadTopic, mark
from models_app.ml.networks.states import State
from models_app.ml.vocabulary import vocabulary_of
from models_app.ml.vocabulary.utf8 import utf8

from . import mentions
from .banned_words import BanList, HouseBanList
from .beginnings import Beginnings, OnBeginnings
from .choosing import choose, log_likelihoods
from .context import state_after
from .copy_guard import CopyGuard
from .judge import HasPersonal, Judge
from .outcome import Refused, Writing
from .place import Place
from .prompt import Prompt, hold_to
from .row import Row, extend, note_chance_to_end
from .sense import Draft, mean_sense, measured
from .topic import Topic, line_about
from .variety import OPENING_TEMPERATURE, OPENING_TOP_P, Variety

#: The number of tries for each post.
TRIES: Final = 10
#: The cost of beginning and judging a draft, in characters.
BEGINNING: Final = 10
#: The characters to spend on unfinished posts: for each post, and at most for the whole request.
WASTE, MAX_WASTE = (280 + BEGINNING) * TRIES, 100 * (280 + BEGINNING) * TRIES
#: If this many characters more than WASTE are spent for each accepted post, the length limit is too low.
HOPELESS: Final = 5 * WASTE
#: The minimum number of tries for a post that doesn't end, whatever its length limit.
MIN_TRIES: Final = 3
#: The most posts drawn side by side, unless the network takes fewer.
SIDE_BY_SIDE: Final = 100


@dataclass(frozen=True, slots=True)
class Step:
    """A step that a request needs: after `symbols` (B,), from `state`; None is the state before a post.

    Symbols (B, T) are a part of the prompt.
    """

    symbols: NDArray[Any]
    state: State | None


#: Logits (B, size) and the new state.
Stepped = tuple[NDArray[np.float32], State]
#: Gets each post as soon as it's accepted, with its place among the posts of the request.
OnPost = Callable[[int, str], None]
#: A request under way: yields each step that it needs and is sent its result.
Drawing = Generator[Step, Stepped, Writing]


class TimeIsUp(Exception):
    """Thrown into a Drawing to end it with what there is."""


class Sampler:
    """Generates posts from a checkpoint. Several threads can use it at once.

    With `context`, each new post is written as if it came after these posts.
    """

    def __init__(self, checkpoint: Checkpoint, context: Sequence[str] = ()) -> None:
        # Before the vocabulary, which a pretrained model brings with it.
        self._stepper = checkpoint.stepper()
        self._vocabulary = vocabulary_of(checkpoint.network)
        self._kind = checkpoint.network.kind
        self._begun = state_after(context, self._stepper, self._vocabulary)

    def generate(
        self,
        config: SamplingConfig,
        *,
        guard: CopyGuard | None = None,
        house: HouseBanList | None = None,
        personal: HasPersonal | None = None,
        accept: Callable[[str], bool] | None = None,
        is_foreign: Callable[[str], bool] | None = None,
        on_post: OnPost | None = None,
        cut: bool = False,
        proceed: Callable[[], None] | None = None,
        seconds: float = math.inf,
    ) -> Writing:
        """Return up to `config.count` posts, each including the prompt, and the number of rejected ones.

        The same seed gives the same posts. Each post ends at an end mark from the network and continues the prompt.

        A post is rejected and drawn again, up to 10 tries in total, if it doesn't end within max_characters (more tries
        below 280 characters, fewer above), adds only spaces, copies a post that `guard` knows (or `accept` returns
        False), contains a banned word of `config.banned` or `house`, personal data that `personal` finds, with
        `config.link_guard` a link, or with `config.mask_mentions` an @name.

        With `config.is_greedy`, all posts would be the same, so there's only one. If it doesn't end, it's cut where the
        end mark was most likely.

        `config.best_of` is the number of drafts for each post. The one that makes most sense is kept
        (`sense`). Drafts with `faults`, those that `is_foreign` finds in another language and those that don't mention
        `config.about` are kept only if there are no others after two rounds. They begin differently and repeat each
        other less (`variety`).

        With `cut`, posts that don't end are cut instead of rejected. After `seconds`, the result is what there is by
        then.

        The draft that replaces a rejected one takes its place among the posts. Calls `on_post` with each place and post
        as soon as the post is accepted, so shorter posts come first.
        Calls `proceed` before each step; if it raises, generation ends. Raises BadSampling as `check` does.
        """
        drawing = self.draw(
            config,
            guard=guard,
            house=house,
            personal=personal,
            accept=accept,
            is_foreign=is_foreign,
            on_post=on_post,
            cut=cut,
        )
        end_at = time.monotonic() + seconds
        try:
            step = next(drawing)
            while True:
                if proceed is not None:
                    proceed()
                if time.monotonic() > end_at:
                    drawing.throw(TimeIsUp())
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
        is_foreign: Callable[[str], bool] | None = None,
        on_post: OnPost | None = None,
        on_beginnings: OnBeginnings | None = None,
        cut: bool = False,
    ) -> Drawing:
        """Yield each step that `generate` needs, and return what it returns.

        Calls `on_beginnings` as `Beginnings` does. Of several drafts for a post, it gets one that is being drawn.
        """
        check(config, self._kind, house)
        prompt = Prompt.of(config.prompt, self._vocabulary)
        config = replace(config.usual_for(self._kind), prompt=prompt.text)
        judging = Judge.of(config, guard=guard, house=house, personal=personal, accept=accept)
        beginnings = Beginnings(on_beginnings, judging) if on_beginnings is not None else None
        best_of = 1 if config.is_greedy else config.best_of
        assert best_of is not None  # `usual_for` has set it
        variety = Variety(self._vocabulary.size) if best_of > 1 else None
        accepted: dict[int, Draft] = {}
        refused = Counter[str]()
        numbers = count()

        def accept_post(place: int, draft: Draft) -> None:
            accepted[place] = draft
            if on_post is not None:
                on_post(place, draft.post)

        def judge(row: Row) -> None:
            """Set the row's post or the reason for its rejection, and decide on its place if no other draft is left."""
            # One that didn't end is perhaps in the middle of a character.
            if row.refused == "unfinished" and (row.is_ended or cut):
                row.post = row.text.decode(errors="ignore" if cut else "strict")
                row.refused = judging.refused(row.post)
            place = places[row.place]
            if row.refused is None:
                place.drafts.append(Draft(row.post, tuple(row.surprisals)))
            else:
                refused[row.refused] += 1
                place.tries[row.refused] += 1
            row.is_judged = True
            place.running -= 1
            if place.is_decided(best_of):
                accept_post(row.place, place.best())

        rng = np.random.default_rng(config.seed)
        topic = Topic.of(config.about, self._vocabulary) if config.about else None
        places = [Place(topic, is_foreign) for _ in range(config.posts_to_write)]
        if config.is_greedy:
            places[0].running = 1
            row = Row.begun(prompt, next(numbers), 0)
            with suppress(TimeIsUp):
                yield from self._draw(config, prompt, [row], rng, _given_an_end(judge), beginnings, variety)
        else:
            # With a low limit, posts are cheap to draw and fewer of them end.
            spent = config.max_characters + BEGINNING
            unfinished = max(MIN_TRIES, WASTE // spent)
            side_by_side = min(SIDE_BY_SIDE, self._stepper.rows_of(config.max_characters))
            places_at_once = max(1, side_by_side // best_of)
            missing = list(range(len(places)))
            is_late = False
            while missing and not is_late:
                if refused["unfinished"] * spent >= best_of * min(MAX_WASTE, HOPELESS + WASTE * len(accepted)):
                    break
                tried, missing = missing[:places_at_once], missing[places_at_once:]
                for place in tried:
                    places[place].begin(best_of)
                rows = [Row.begun(prompt, next(numbers), place) for place in tried for _ in range(best_of)]
                try:
                    # All at once, unless the network takes fewer than a place has drafts.
                    for begin in range(0, len(rows), side_by_side):
                        some = rows[begin : begin + side_by_side]
                        yield from self._draw(config, prompt, some, rng, judge, beginnings, variety)
                except TimeIsUp:
                    is_late = True
                    for row in rows:
                        if not row.is_judged:
                            judge(row)
                missing += [place for place in tried if place not in accepted and places[place].may_try(unfinished)]
            for number, late in enumerate(places):
                if number not in accepted and late.drafts:
                    accept_post(number, late.best())
        copies = refused["copies"] if judging.knows_copies else None
        reasons = {
            reason: refused[reason]
            for reason in ("banned", "unfinished", "empty", "house", "personal", "links", "mentions")
        }
        drafts = [accepted[place] for place in sorted(accepted)]
        return Writing(
            posts=[draft.post for draft in drafts],
            refused=Refused(copies, **reasons),
            sense=mean_sense(drafts) if variety is not None and drafts else None,
            measured=[measured(draft) for draft in drafts],
        )

    def _draw(
        self,
        config: SamplingConfig,
        prompt: Prompt,
        rows: list[Row],
        rng: np.random.Generator,
        judge: Callable[[Row], None],
        beginnings: Beginnings | None,
        variety: Variety | None,
    ) -> Generator[Step, Stepped, None]:
        """Draw the rows as a batch, each judged as it ends. Unfinished ones have max_characters."""
        vocabulary, tables = self._vocabulary, self._vocabulary.tables
        assert config.top_p is not None and config.temperature is not None  # `usual_for` has set them
        names = vocabulary.containing(mentions.SIGN)
        running = list(rows)
        logits, state = yield from self._primed(config.about, prompt, len(rows))
        automaton = np.full(len(rows), prompt.state)
        in_prompt, opens = True, variety is not None
        while running:
            barred = tables.barred[automaton]  # (B, size)
            texts = [row.text for row in running]
            in_prompt = in_prompt and hold_to(prompt, texts, barred, vocabulary)
            if config.mask_mentions:
                past = [place for place, text in enumerate(texts) if len(text) >= len(prompt.whole)]
                needy = mentions.bar(logits, barred, past, names)
                if not config.is_greedy:
                    for place in needy:
                        # Right behind the prompt, the others would need one, too.
                        if len(texts[place]) > len(prompt.whole):
                            running[place].refused = "mentions"
            if config.is_greedy:
                note_chance_to_end(running[0], logits[0] + barred[0], vocabulary.end, len(config.prompt))
            temperature, top_p = 0 if config.is_greedy else config.temperature, config.top_p
            if opens and all(len(row.text) >= len(prompt.whole) for row in running):
                opens = False
                if temperature < OPENING_TEMPERATURE:
                    temperature, top_p = OPENING_TEMPERATURE, max(top_p, OPENING_TOP_P)
            possible = logits + barred
            varied = possible if variety is None else variety.applied(possible)
            symbols = choose(varied, temperature, config.top_k, rng, top_p=top_p)
            if variety is not None:
                variety.note(symbols)
                # A symbol that the prompt forces says nothing about the post.
                held = np.array([[len(row.text) < len(prompt.whole)] for row in running])
                measured = np.where(held, possible, logits) if in_prompt else logits
                for row, nats in zip(running, log_likelihoods(measured, symbols), strict=True):
                    row.surprisals.append(-nats)
            completed = tables.completed[automaton, symbols].tolist()
            automaton = tables.next_state[automaton, symbols]
            drawn = zip(running, symbols.tolist(), completed, strict=True)
            keep = [
                place
                for place, (row, symbol, characters) in enumerate(drawn)
                if row.refused != "mentions"
                and extend(row, vocabulary.symbol_bytes[symbol], characters, symbol == vocabulary.end, config)
            ]
            if len(keep) < len(running):
                for place in sorted(set(range(len(running))) - set(keep)):
                    judge(running[place])
                running = [running[place] for place in keep]
                symbols, automaton = symbols[keep], automaton[keep]
                state = state.pick(np.array(keep, np.intp))
            if beginnings is not None:
                beginnings.look(running)
            if running:
                logits, state = yield Step(symbols, state)

    def _primed(self, about: str, prompt: Prompt, count: int) -> Generator[Step, Stepped, Stepped]:
        """Return logits (B, size) and state after topic, start mark and prompt, computed once for all rows."""
        end = np.array([self._vocabulary.end], self._vocabulary.dtype)
        topic = [end, self._vocabulary.encode(line_about(about))] if about else []
        symbols = np.concatenate([*topic, end, prompt.symbols])
        at_once = self._stepper.reads_at_once
        parts = [symbols[begin : begin + at_once] for begin in range(0, len(symbols), at_once)]
        first, *others = [part if len(part) == 1 else part[None] for part in parts]
        logits, state = yield Step(first, None if self._begun is None else self._begun.fork(1))
        for part in others:
            logits, state = yield Step(part, state)
        return np.repeat(logits, count, axis=0), state.fork(count)


def check(config: SamplingConfig, kind: str, house: HouseBanList | None = None) -> None:
    """Raise BadSampling for a prompt or a topic that can't be encoded as UTF-8 or contains a banned word, a prompt that
    leaves no room, and a topic for a kind of network that doesn't know topics."""
    for text, bad in ((config.prompt, BadSampling), (config.about, BadTopic)):
        try:
            utf8(text)
        except BadSetting as error:
            raise bad(error.template, **error.values) from error
    if config.about and kind != "llama":
        raise BadTopic(mark("Quick bots can’t be told a topic. Leave “About” empty, or choose a fluent bot."))
    if len(config.prompt) >= config.max_characters:
        raise BadSampling(
            mark(
                "The prompt leaves no room: it has %(count)s characters, and the limit is %(max_characters)s. "
                "Shorten the prompt or raise the limit."
            ),
            count=len(config.prompt),
            max_characters=config.max_characters,
        )
    banned = BanList(config.banned)
    if found := banned.finds(config.prompt):
        raise BadSampling(
            mark("The prompt contains “%(found)s”, which is banned. Change the prompt or the ban list."), found=found
        )
    if found := banned.finds(config.about):
        raise BadTopic(
            mark("The topic contains “%(found)s”, which is banned. Change the topic or the ban list."), found=found
        )
    if house is not None and (found := house.finds(config.prompt)):
        raise BadSampling(
            mark("The prompt contains “%(found)s”, which no bot here may write. Change the prompt."), found=found
        )
    if house is not None and (found := house.finds(config.about)):
        raise BadTopic(
            mark("The topic contains “%(found)s”, which no bot here may write. Change the topic."), found=found
        )


def _given_an_end(judge: Callable[[Row], None]) -> Callable[[Row], None]:
    """Wrap `judge` for a greedy post, which a retry wouldn't change: cut it where the end mark was most likely."""

    def ended(row: Row) -> None:
        if not row.is_ended and row.best_end:
            del row.text[row.best_end :]
            row.is_ended = True
        judge(row)

    return ended
