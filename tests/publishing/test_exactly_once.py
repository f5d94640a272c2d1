"""Whatever the clock, the senders and the network do: each approved post appears at most once, and none is lost unseen.

A state machine drives them all. A network may accept a post and not answer, answer 502, limit, refuse or forget; a
sender may be killed at any moment.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from botfactory.jobs import processes
from models_app.bots.rows import TrainedModel
from publishing.models import Account, Proposal, Publication, Queue
from publishing.networks.base import NetworkError
from publishing.queue import services
from publishing.rules import errors
from publishing.sending import sender
from tests.fakes.posting_servers import BlueskyPds, Fault, Mastodon
from tests.publishing.helpers import propose

pytestmark = pytest.mark.django_db(transaction=True)

FAULTS: list[Fault] = ["lost answer", "accepted 502", "502", "cut", "429", "refused"]
#: A process that ran here and doesn't any more.
DEAD = f"{processes.here()}:4194303-1"
_WORDS = ("kettle", "ladder", "violin", "spoon", "umbrella", "biscuit", "library", "moon")


class Clock:
    """The time of the product and of the network, which tests put forward."""

    def __init__(self) -> None:
        self.real = timezone.now
        self.ahead = timedelta()

    def now(self) -> datetime:
        return self.real() + self.ahead


def machine(model: TrainedModel, server: BlueskyPds | Mastodon, clock: Clock) -> type[RuleBasedStateMachine]:
    """Return the state machine of this bot, which posts to this server."""

    class Publishing(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            Proposal.objects.all().delete()
            Account.objects.update(not_before=None)
            services.go_on(model)
            server.faults, server.is_down = [], False
            getattr(server, "records" if isinstance(server, BlueskyPds) else "statuses").clear()
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

        @rule(fault=st.sampled_from(["", *FAULTS]))
        def send(self, fault: Fault) -> None:
            server.faults = [fault] if fault else []
            sender.look()
            sender.send_next()
            server.faults = []

        @rule(is_down=st.booleans())
        def network(self, is_down: bool) -> None:
            server.is_down = is_down

        @rule(point=st.sampled_from(["before", "after", "without an answer"]))
        def kill(self, point: str) -> None:
            """Kill a sender before it has sent anything, or after the network has accepted it."""
            claimed = sender.claim_next()
            if claimed is None:
                return
            if claimed.state == Publication.State.SENDING and point != "before":
                server.faults = ["lost answer"] if point == "without an answer" else []
                try:
                    sender.poster_of(claimed.account).publish(sender.outgoing(claimed))
                except NetworkError as error:
                    assert server.is_down or point == "without an answer", error
                server.faults = []
            Publication.objects.filter(pk=claimed.pk).update(sender=DEAD)

        @rule(is_stopped=st.booleans())
        def switch(self, is_stopped: bool) -> None:
            services.change(model, {"is_stopped": is_stopped})

        @precondition(lambda self: self.count)
        @rule(data=st.data())
        def take_out(self, data: Any) -> None:
            proposal = data.draw(st.sampled_from(list(Proposal.objects.order_by("position", "pk"))))
            try:
                services.put_back(proposal)
            except errors.NotNow:
                assert proposal.state == "proposed" or proposal.publications.exists()

        @invariant()
        def nothing_appears_twice(self) -> None:
            assert len(server.posts) == len(set(server.posts))

        @invariant()
        def what_counts_as_lost_is_not_there(self) -> None:
            lost = Publication.objects.filter(state__in=("failed", "missed")).values_list("text", flat=True)
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
            assert set(rows.values()) <= {"posted", "waiting", "failed", "missed"}
            assert {text for text, state in rows.items() if state == "posted"} == set(server.posts)
            self.nothing_appears_twice()
            approved = Proposal.objects.filter(state="approved")
            assert approved.filter(publications=None).count() == 0
            assert not Publication.objects.filter(state__in=("failed", "missed"), error="").exists()

    return Publishing


@pytest.mark.parametrize("network", ["bluesky", "mastodon"])
def test_each_post_appears_at_most_once_and_none_is_lost_unseen(
    network: str,
    request: pytest.FixtureRequest,
    model: TrainedModel,
    queue: Queue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server: BlueskyPds | Mastodon = request.getfixturevalue("pds" if network == "bluesky" else "mastodon")
    request.getfixturevalue("bluesky" if network == "bluesky" else "fediverse")
    clock = Clock()
    server.clock = clock.now
    monkeypatch.setattr(timezone, "now", clock.now)
    monkeypatch.setattr(sender, "ring", lambda: None)
    run_state_machine_as_test(
        machine(model, server, clock),
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
        ),
    )
    assert server.requests
