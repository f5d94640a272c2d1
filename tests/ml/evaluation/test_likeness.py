from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models_app.ml.config import SamplingConfig
from models_app.ml.errors import Cancelled, CheckpointError
from models_app.ml.evaluation import likeness as module
from models_app.ml.evaluation.likeness import PersonLikeness
from models_app.ml.sampling.choice import Draft
from models_app.ml.sampling.sampler import Sampler
from tests.ml.conftest import favouring

#: Writes a, b and spaces alike; the person never writes b.
BOT = Sampler(favouring(**{"a": 0, "b": 0, " ": 0, "END": -2}))
LEARNED = [f"a{'a' * n} a a{'a' * (n % 7)} aa" for n in range(60)]
NATS = -1.2


def made() -> PersonLikeness:
    found = PersonLikeness.of(BOT, LEARNED, -NATS / np.log(2))
    assert found is not None
    return found


def test_drafts_like_the_person_are_preferred_and_so_are_usual_ones() -> None:
    own, other, odd, dull = made()(
        [Draft("aa aaa a", NATS), Draft("bb bab b", NATS), Draft("aa aaa a", -9.0), Draft("aa aaa a", 0.0)]
    )
    assert own > 0.9 and other < 0.3
    assert own > odd and own > dull


def test_it_says_which_fraction_of_the_bots_posts_sounds_less_like_the_person() -> None:
    writing = BOT.generate(SamplingConfig(count=100, seed=7, copy_guard=False), measure=True)
    found = made()(list(map(Draft, writing.posts, writing.nats)))
    assert found.min() >= 0 and found.max() <= 1
    # New posts of the bot are spread evenly.
    assert np.abs(np.quantile(found, [0.25, 0.5, 0.75]) - [0.25, 0.5, 0.75]).max() < 0.2


def test_it_is_kept_in_a_small_file_without_text(tmp_path: Path) -> None:
    likeness, path = made(), tmp_path / "likeness.safetensors"
    likeness.save(path)
    drafts = [Draft("aa b", NATS), Draft("bbb", -3.0), Draft("aaa", -1.0)]
    np.testing.assert_allclose(PersonLikeness.load(path)(drafts), likeness(drafts), atol=0.02)
    assert path.stat().st_size < 100_000 and b"aa aa" not in path.read_bytes()
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="Remake the bot’s report card"):
        PersonLikeness.load(path)
    with pytest.raises(FileNotFoundError):
        PersonLikeness.load(tmp_path / "none")


def test_of_too_few_posts_there_is_none() -> None:
    assert PersonLikeness.of(BOT, LEARNED[:30], 1.7) is None
    assert PersonLikeness.of(Sampler(favouring(a=0)), LEARNED, 1.7) is None


def test_it_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    def cancel() -> None:
        raise Cancelled("Enough.")

    monkeypatch.setattr(module, "once_a_second", lambda ask: ask)
    with pytest.raises(Cancelled):
        PersonLikeness.of(BOT, LEARNED, 1.7, cancel)
