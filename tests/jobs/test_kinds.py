from __future__ import annotations

import pytest

from botfactory.jobs import kinds
from tests.jobs.kinds import count_to_three, kind

pytestmark = pytest.mark.django_db


def test_a_process_prepares_for_the_jobs_of_its_queues_alone_and_goes_on_where_that_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kinds, "_kinds", {})
    done: list[str] = []

    def fails() -> None:
        done.append("fails")
        raise MemoryError

    kind("unprepared", count_to_three)
    kind("failing", count_to_three, prepare=fails)
    kind("first", count_to_three, prepare=lambda: done.append("first"))
    kind("second", count_to_three, prepare=lambda: done.append("second"), queue="other")
    kinds.prepare({"default"})
    assert done == ["fails", "first"]
    assert "failing: nothing is prepared" in caplog.text
    kinds.prepare({"other", "webhooks"})
    assert done == ["fails", "first", "second"]


def test_code_is_loaded_once_for_the_jobs_of_the_workers_queues_whatever_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kinds, "_kinds", {})
    done: list[str] = []

    def fails() -> None:
        done.append("fails")
        raise ImportError

    kind("unloaded", count_to_three)
    kind("failing", count_to_three, load=fails)
    kind("first", count_to_three, load=lambda: done.append("first"))
    kind("second", count_to_three, load=lambda: done.append("second"), queue="other")
    kinds.load({"default"})
    assert done == ["fails", "first"]
    assert "failing: the code for jobs of this kind can't be loaded" in caplog.text
