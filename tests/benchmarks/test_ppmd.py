from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.personas import joined
from benchmarks.posts import made_posts
from benchmarks.ppmd import Coder

pyppmd = pytest.importorskip("pyppmd")

ORDER, MEMORY = 6, 1 << 24
PRIME, BEFORE, CODED = (joined(list(made_posts(count, seed))) for count, seed in ((300, 0), (40, 1), (10, 2)))


@pytest.fixture(scope="module")
def coder() -> Iterator[Coder]:
    made = Coder(PRIME, order=ORDER, memory=MEMORY)
    yield made
    made.close()


def compressed(text: bytes) -> int:
    encoder = pyppmd.Ppmd7Encoder(ORDER, MEMORY)
    return len(encoder.encode(text)) + len(encoder.flush())


@pytest.mark.parametrize("before", [b"", BEFORE])
def test_a_text_takes_what_it_adds_to_the_whole_that_is_compressed(coder: Coder, before: bytes) -> None:
    expected = compressed(PRIME + before + CODED) - compressed(PRIME + before)
    assert expected > 200
    assert abs(coder.bits(before, CODED) / 8 - expected) <= 2


def test_a_question_leaves_nothing_behind_for_the_next(coder: Coder) -> None:
    first = coder.bits(b"", CODED)
    assert coder.bits(CODED, CODED) < first / 2
    assert coder.bits(b"", CODED) == first
