"""Shared reads: who waits for whom, and what is never shared."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache

from tweets.importing import live_reads
from tweets.sources import base
from tweets.sources.kinds import Account


@pytest.fixture(autouse=True)
def nothing_read_before() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def test_a_reader_who_failed_or_died_does_not_keep_the_others_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account("bluesky", "someone.example")

    def broken() -> list[str]:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        live_reads.shared(account, 1, broken)
    assert live_reads.shared(account, 1, lambda: ["a post"]) == ["a post"]
    monkeypatch.setattr(live_reads, "WAIT_SECONDS", 0.1)
    died = Account("bluesky", "other.example")
    cache.add(f"{live_reads._key(died, 1)}:claim", "one who died", 60)
    with pytest.raises(base.SourceUnavailable, match="Ask again in a minute"):
        live_reads.shared(died, 1, lambda: ["a post"])


def test_what_is_one_persons_own_is_not_shared() -> None:
    def spent() -> list[str]:
        raise base.BudgetSpent("The 100 posts of X that you may buy are used up.")

    account = Account("x", "someone")
    with pytest.raises(base.BudgetSpent):
        live_reads.shared(account, 1, spent)
    assert live_reads.shared(account, 1, lambda: ["a post"]) == ["a post"]
