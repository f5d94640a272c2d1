from __future__ import annotations

import pytest

from botfactory.jobs import kinds
from tests.jobs.kinds import count_to_three, kind

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        ("load", "the code for jobs of this kind can't be loaded"),
        ("prepare", "nothing is prepared for jobs of this kind"),
    ],
)
def test_a_process_gets_ready_for_the_jobs_of_its_queues_alone_and_goes_on_where_that_fails(
    hook: str, said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kinds, "_kinds", {})
    done: list[str] = []

    def fails() -> None:
        done.append("fails")
        raise MemoryError

    kind("without", count_to_three)
    kind("failing", count_to_three, **{hook: fails})
    kind("first", count_to_three, **{hook: lambda: done.append("first")})
    kind("second", count_to_three, queue="other", **{hook: lambda: done.append("second")})
    get_ready = getattr(kinds, hook)
    get_ready({"default"})
    assert done == ["fails", "first"]
    assert f"failing: {said}" in caplog.text
    get_ready({"other", "webhooks"})
    assert done == ["fails", "first", "second"]
