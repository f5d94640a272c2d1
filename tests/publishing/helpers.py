"""Proposals for tests, and what a sender does with them."""

from __future__ import annotations

from datetime import UTC, timedelta

from django.utils import timezone

from models_app.bots.rows import TrainedModel
from publishing.models import Proposal, Publication
from publishing.queue import services
from publishing.sending import sender
from tests.fakes.posting_servers import Fault, PostingServer

TEXTS = (
    "the kettle sings when nobody asks it to",
    "seven umbrellas walked into a quiet library",
    "my neighbour keeps the moon in a biscuit tin",
    "a train full of violins is late again today",
    "soup remembers every spoon that it has met",
    "the ladder said goodnight and folded itself up",
)


def propose(model: TrainedModel, text: str = TEXTS[0]) -> Proposal:
    """Put a proposal into the bot's queue, as if the bot had written it."""
    with services.held(model) as queue:
        return Proposal.objects.create(queue=queue, number=0, written=text, text=text)


def approve(model: TrainedModel, text: str = TEXTS[0]) -> Proposal:
    return services.approve(propose(model, text))


def make_due(proposal: Proposal, *, minutes: float = 1) -> None:
    """Let it have been due so many minutes ago."""
    wall = (timezone.now() - timedelta(minutes=minutes)).replace(tzinfo=UTC)
    Proposal.objects.filter(pk=proposal.pk).update(wall=wall, zone="UTC")


def due(model: TrainedModel, text: str = TEXTS[0]) -> Publication:
    """Return a publication that is due now."""
    proposal = approve(model, text)
    make_due(proposal)
    return Publication.objects.get(proposal=proposal)


def unanswered(
    server: PostingServer, model: TrainedModel, *, minutes: float, fault: Fault = "lost answer"
) -> Publication:
    """Return a publication that was due and sent so many minutes ago, and of which nobody knows what came of it."""
    server.faults = [fault]
    row = due(model)
    assert sender.send_next()
    make_due(row.proposal, minutes=minutes)
    Publication.objects.update(tried_at=timezone.now() - timedelta(minutes=minutes))
    again()
    row.refresh_from_db()
    assert row.state == "unknown" and row.error
    return row


def again() -> None:
    """Let all pauses end, but not the leases of senders."""
    Publication.objects.filter(sender="").update(next_at=timezone.now())


def send_all() -> int:
    """Do everything that is due; return how many steps that took."""
    sender.give_up_late_ones()
    steps = 0
    while sender.send_next():
        steps += 1
        assert steps < 100, "sending doesn't end"
    return steps
