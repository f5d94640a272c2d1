"""Kinds of jobs for the tests of jobs themselves: small, real runners."""

from __future__ import annotations

from typing import Any

from botfactory.jobs.handle import JobHandle
from botfactory.jobs.kinds import JobKind, KeepsTheBest, register

KEEPS_THE_BEST = KeepsTheBest(
    question="Cancel?", loses="It is kept for %(hours)s hours.", go_on="Go on", cancel="Cancel it"
)


def kind(name: str, run: Any, **values: Any) -> JobKind:
    made = JobKind(**{"name": name, "run": run, **values})
    register(made)
    return made


def count_to_three(handle: JobHandle) -> dict[str, Any]:
    for number in range(1, 4):
        handle.check()
        handle.record("count", {"number": number})
        handle.progress({"fraction": number / 3})
    return {"counted": 3}
