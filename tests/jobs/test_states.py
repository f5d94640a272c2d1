from __future__ import annotations

import pytest

from botfactory.jobs.states import ACTIVE, CLAIMABLE, ENDED, HELD, STEPS, State, sources_of


def test_each_state_is_active_or_ended() -> None:
    assert set(State) == ACTIVE | ENDED
    assert not ACTIVE & ENDED
    assert not CLAIMABLE & HELD


def test_a_cancel_never_ends_as_failed() -> None:
    assert State.FAILED not in STEPS[State.CANCELLING]


def test_success_is_final() -> None:
    assert STEPS[State.SUCCEEDED] == frozenset()


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_what_did_not_succeed_can_be_tried_again(state: State) -> None:
    assert STEPS[state] == {State.QUEUED}


def test_a_held_job_comes_from_a_claimable_one() -> None:
    assert sources_of(State.RUNNING) == CLAIMABLE
