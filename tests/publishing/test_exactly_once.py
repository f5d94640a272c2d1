"""Whatever the clock, the senders and the network do: each approved post appears at most once, and none is lost unseen.

A state machine drives them all. A network may accept a post and not answer, answer 502, limit, refuse or forget; a
sender may be killed before any of its steps, or sleep there until another one has done its work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from botfactory import net
from botfactory.jobs import processes
from models_app.bots.rows import TrainedModel
from publishing.models import Account, Proposal, Publication, Queue
from publishing.queue import services
from publishing.rules import errors
from publishing.sending import sender
from tests.fakes.posting_servers import Fault, PostingServer
from tests.publishing.helpers import propose

pytestmark = pytest.mark.django_db(transaction=True)

FAULTS: list[Fault] = ["lost answer", "accepted 502", "502", "cut", "429", "refused"]
#: A sender that claims, looks for the mark, renews its claim, sends and writes, and what it gives up before that.
MOST_STEPS = 8
#: A process that ran here and doesn't any more.
DEAD = f"{processes.here()}:4194303-1"
_WORDS = ("kettle", "ladder", "violin", "spoon", "umbrella", "biscuit", "library", "moon")


class Clock:
    """The time of the product and of the network, which goes on by each look at it and by the tests."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        self.ahead += timedelta(milliseconds=1)
        return datetime(2026, 7, 1, 12, tzinfo=UTC) + self.ahead


class Killed(BaseException):
    """The sender's process is gone: nothing of it goes on, and its open transaction is rolled back."""


@contextmanager
def interrupted(step: int, interrupt: Callable[[], None]) -> Iterator[None]:
    """Interrupt a sender before its step of this number: a request, a transaction, or a change outside of one."""
    count, ask = 0, net.Client._ask

    def begin() -> None:
        nonlocal count
        count += 1
        if count == step:
            interrupt()

    def asked(*what: Any, **how: Any) -> net.Answer:
        begin()
        return ask(*what, **how)

    def executed(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if not connection.in_atomic_block and not sql.startswith("SELECT"):
            begin()
        return execute(sql, parameters, many, context)

    with patch.object(net.Client, "_ask", asked), connection.execute_wrapper(executed):
        yield


def machine(model: TrainedModel, server: PostingServer, clock: Clock) -> type[RuleBasedStateMachine]:
    """Return the state machine of this bot, which posts to this server."""

    class Publishing(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            Proposal.objects.all().delete()
            Account.objects.update(not_before=None)
            services.go_on(model)
            server.faults, server.is_down = [], False
            server.forget_posts()
            self.count = 0

        @rule()
        def approve(self) -> None:
            """Approve a post with words of its own, due in a minute or in some hours."""
            self.count += 1
            words = [_WORDS[(self.count * step + step) % len(_WORDS)] for step in (1, 3, 5)]
            proposal = propose(model, f"{' '.join(words)} number {self.count}")
            services.approve(proposal, is_sure=True)

        @rule(minutes=st.sampled_from([1, 20, 50, 70, 200]))
        def wait(self, minutes: int) -> None:
            clock.ahead += timedelta(minutes=minutes)

        def send(self) -> None:
            sender.look()
            sender.send_next()

        @rule(fault=st.sampled_from(["", *FAULTS]))
        def answer(self, fault: Fault) -> None:
            """Send, and let the network answer so."""
            server.faults = [fault] if fault else []
            self.send()
            server.faults = []

        @rule(is_down=st.booleans())
        def network(self, is_down: bool) -> None:
            server.is_down = is_down

        @rule(step=st.integers(1, MOST_STEPS), fault=st.sampled_from(["", *FAULTS]))
        def kill(self, step: int, fault: Fault) -> None:
            """Kill a sender before this step."""

            def interrupt() -> None:
                raise Killed

            server.faults = [fault] if fault else []
            with suppress(Killed), interrupted(step, interrupt):
                self.send()
            server.faults = []
            Publication.objects.exclude(sender="").update(sender=DEAD)

        @rule(step=st.integers(1, MOST_STEPS), fault=st.sampled_from(["", *FAULTS]))
        def overtake(self, step: int, fault: Fault) -> None:
            """Let a sender sleep before this step until others may take over, and then go on."""

            def interrupt() -> None:
                clock.ahead += sender.LEASE + timedelta(minutes=1)
                self.send()
                self.send()

            server.faults = [fault] if fault else []
            with interrupted(step, interrupt):
                self.send()
            server.faults = []

        @rule(is_stopped=st.booleans())
        def switch(self, is_stopped: bool) -> None:
            services.change(model, {"is_stopped": is_stopped})

        @rule(index=st.integers(0, 9))
        def take_out(self, index: int) -> None:
            proposals = Proposal.objects.order_by("position", "created_at")
            if not proposals:
                return
            proposal = proposals[index % len(proposals)]
            try:
                services.put_back(proposal)
            except errors.NotNow:
                assert proposal.state == "proposed" or proposal.publications.exists()

        @rule(index=st.integers(0, 9))
        def send_again(self, index: int) -> None:
            if lost := Publication.objects.filter(state__in=("failed", "missed")).order_by("created_at"):
                services.send_again(lost[index % len(lost)])

        @rule(index=st.integers(0, 9))
        def recall(self, index: int) -> None:
            if posted := Publication.objects.filter(state="posted").order_by("created_at"):
                services.recall(posted[index % len(posted)].proposal)

        @invariant()
        def nothing_appears_twice(self) -> None:
            assert len(server.posts) == len(set(server.posts))

        @invariant()
        def what_counts_as_lost_is_not_there(self) -> None:
            lost = Publication.objects.filter(state__in=("failed", "missed", "recalled")).values_list("text", flat=True)
            assert not set(filter(None, lost)) & set(server.posts)

        @invariant()
        def what_is_posted_is_there(self) -> None:
            assert set(Publication.objects.filter(state="posted").values_list("text", flat=True)) <= set(server.posts)

        def teardown(self) -> None:
            """Let the network answer: whatever was approved is then posted, waits, or says why it isn't there."""
            server.faults, server.is_down = [], False
            for _ in range(12):
                clock.ahead += timedelta(minutes=61)
                sender.look()
                while sender.send_next():
                    pass
            rows = dict(Publication.objects.values_list("text", "state"))
            assert set(rows.values()) <= {"posted", "waiting", "failed", "missed", "recalled"}
            assert {text for text, state in rows.items() if state == "posted"} == set(server.posts)
            self.nothing_appears_twice()
            approved = Proposal.objects.filter(state="approved")
            assert approved.filter(publications=None).count() == 0
            assert not Publication.objects.filter(state__in=("failed", "missed"), error="").exists()

    return Publishing


@pytest.mark.parametrize(
    ("account", "network"), [("bluesky", "pds"), ("fediverse", "mastodon"), ("x_account", "x_server")]
)
def test_each_post_appears_at_most_once_and_none_is_lost_unseen(
    account: str,
    network: str,
    request: pytest.FixtureRequest,
    model: TrainedModel,
    queue: Queue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server: PostingServer = request.getfixturevalue(network)
    request.getfixturevalue(account)
    clock = Clock()
    server.clock = clock.now
    monkeypatch.setattr(timezone, "now", clock.now)
    monkeypatch.setattr(sender, "ring", lambda: None)
    run_state_machine_as_test(
        machine(model, server, clock),
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
        ),
    )
    assert server.requests
