from __future__ import annotations

from itertools import pairwise

import pytest

from models_app.ml.config import SamplingConfig
from models_app.ml.sampling import beginnings as module
from models_app.ml.sampling.beginnings import INTERVAL, Beginnings
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.sampling.judge import Judge
from models_app.ml.sampling.outcome import Writing
from models_app.ml.sampling.row import Row
from models_app.ml.sampling.sampler import Sampler
from tests.ml.conftest import favouring
from tweets.cleaning import personal

LEARNED = "the kettle knows that it always knew"


class Watched:
    """What is told about drafts, and when. Each look at one takes so many `seconds`."""

    def __init__(self, *, seconds: float = 0.0, **settings: object) -> None:
        self.now = 0.0
        self.told: list[dict[int, str]] = []
        self.judged: list[str] = []
        #: How many drafts came before those that are looked at.
        self.drafts = 0

        def accept(text: str) -> bool:
            self.now += seconds
            self.judged.append(text)
            return True

        config = SamplingConfig(**settings)  # type: ignore[arg-type]
        judge = Judge.of(config, guard=CopyGuard.of([LEARNED]), house=None, personal=personal.adds, accept=accept)
        self._beginnings = Beginnings(self.told.append, judge, clock=lambda: self.now)

    def look(self, *texts: str | bytes) -> None:
        """Look at these drafts, after the pause between two looks."""
        self.now += INTERVAL
        self.look_at_once(*texts)

    def look_at_once(self, *texts: str | bytes) -> None:
        data = [text.encode() if isinstance(text, str) else text for text in texts]
        rows = [Row(bytearray(text), len(text), self.drafts + place, place) for place, text in enumerate(data)]
        self._beginnings.look(rows)

    def grow(self, text: str) -> list[str]:
        """Return what is told while this draft grows letter by letter."""
        for end in range(len(text) + 1):
            self.look(text[:end])
        return [told[0] for told in self.told]


def test_a_beginning_ends_with_a_whole_word() -> None:
    assert Watched().grow("Went to town ") == ["Went", "Went to", "Went to town"]


def test_a_character_that_is_not_complete_is_never_shown() -> None:
    watched = Watched()
    watched.look("Kaffee für ".encode()[:-2], "für".encode()[:2], b"")
    assert watched.told == [{0: "Kaffee"}]


def test_while_it_says_what_a_learned_post_says_it_waits() -> None:
    assert Watched().grow(f"{LEARNED} nothing of all that at all ")[3:] == [
        "the kettle knows that it always knew nothing of all",
        "the kettle knows that it always knew nothing of all that",
        "the kettle knows that it always knew nothing of all that at",
        "the kettle knows that it always knew nothing of all that at all",
    ]
    shown = Watched().grow(f"{LEARNED} ")
    assert shown == ["the", "the kettle", "the kettle knows"], "three words are nobody's own"
    assert Watched(copy_guard=False).grow(f"{LEARNED} ")[-1] == LEARNED


def test_a_banned_word_never_shows_nor_does_a_name() -> None:
    assert Watched(banned=("darn",)).grow("oh darn it all ") == ["oh"]
    assert Watched().grow("hi @somebody there ") == ["hi"]
    assert Watched(mask_mentions=False).grow("hi @somebody ") == ["hi", "hi @somebody"]


def test_a_number_of_several_words_never_shows_in_part() -> None:
    config = {"personal_guard": True}
    assert Watched(**config).grow("call +49 170 1234567 now ") == ["call"]
    assert Watched(**config).grow("won 10 of 12 games ") == ["won", "won 10 of", "won 10 of 12 games"]
    assert Watched(**config).grow("12 ") == []


def test_the_prompt_alone_is_no_beginning() -> None:
    assert Watched(prompt="I love").grow("I love tea a lot ") == ["I love tea", "I love tea a", "I love tea a lot"]


def test_it_looks_after_a_pause_and_tells_what_is_new() -> None:
    watched = Watched()
    watched.look("one ", "two ")
    watched.look_at_once("one more ", "two ")
    assert watched.told == [{0: "one", 1: "two"}]
    watched.look("one more ", "two ")
    watched.look("one more wo", "two")
    assert watched.told[1:] == [{0: "one more", 1: "two"}]
    watched.look("one more word ")
    assert watched.told[2:] == [{0: "one more word"}]


def test_the_draft_after_a_rejected_one_begins_anew_in_its_place() -> None:
    watched = Watched()
    watched.look("one more ", "two ")
    watched.drafts = 2
    watched.look("on", "three ")
    assert watched.told == [{0: "one more", 1: "two"}, {1: "three"}]


def test_looks_take_a_tenth_of_the_time_at_most() -> None:
    watched = Watched(seconds=0.5)
    watched.look("one ")
    watched.now += 4.4
    watched.look_at_once("one two ")
    assert watched.judged == ["one"], "the pause is nine times as long as the look"
    watched.now += 0.2
    watched.look_at_once("one two ")
    assert watched.told == [{0: "one"}, {0: "one two"}]


def drawn(config: SamplingConfig, told: list[dict[int, str]]) -> tuple[Writing, dict[int, str]]:
    """Return what is written, and each post as it's told."""
    sampler = Sampler(favouring(**{" ": 1, "a": 1, "b": 1, "END": 0}))
    posts: dict[int, str] = {}
    drawing = sampler.draw(config, on_post=posts.__setitem__, on_beginnings=told.append)
    step = next(drawing)
    try:
        while True:
            step = drawing.send(sampler.step(step))
    except StopIteration as end:
        return end.value, posts


def test_each_post_grows_from_its_beginnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL", 0.0)
    monkeypatch.setattr(module, "REST", 0.0)
    config = SamplingConfig(count=30, seed=4, temperature=1, banned=("bb",))
    told: list[dict[int, str]] = []
    writing, posts = drawn(config, told)
    assert [posts[place] for place in sorted(posts)] == writing.posts and writing.refused.banned > 0
    # In each place: how the drafts grow, "" between one and the next.
    grown = [[each.get(place, "") for each in told] for place in range(30)]
    changes = [(sooner, later) for shown in grown for sooner, later in pairwise(shown) if later]
    assert all(later.startswith(sooner) for sooner, later in changes) and len(set(changes)) > 30
    assert not any("bb" in text.split() for shown in grown for text in shown)
    # Posts without a beginning are those of one word.
    last = [next((text for text in reversed(shown) if text), "") for shown in grown]
    assert all(posts[place].startswith(text) or len(posts[place].split()) == 1 for place, text in enumerate(last))


def test_each_place_tells_one_of_its_drafts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL", 0.0)
    monkeypatch.setattr(module, "REST", 0.0)
    told: list[dict[int, str]] = []
    writing, posts = drawn(SamplingConfig(count=3, best_of=3, seed=1, temperature=1), told)
    assert told and {place for each in told for place in each} <= {0, 1, 2}
    assert posts == dict(enumerate(writing.posts))
