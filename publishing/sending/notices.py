"""What webhooks say about posts. Each message is committed with the state that it's about."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from botfactory.webhooks import event_types
from botfactory.webhooks import services as webhooks
from publishing.models import Publication
from publishing.rules import labels

_EVENTS: Final = {
    Publication.State.POSTED: "post.published",
    Publication.State.FAILED: "post.failed",
    Publication.State.MISSED: "post.missed",
}


def register() -> None:
    """Register the kinds of events. For AppConfig.ready."""
    event_types.register(
        {
            "post.published": _("a post is published"),
            "post.failed": _("a post fails"),
            "post.missed": _("a post is missed"),
        }
    )


def note(publication: Publication) -> None:
    """Queue the messages about the state that the publication has now, in the same transaction."""
    event = _EVENTS.get(Publication.State(publication.state))
    if event is None:
        return
    proposal = publication.proposal
    model = proposal.queue.model
    data = {
        "proposal": str(proposal.pk),
        "model": str(model.pk),
        "bot": model.name,
        "network": publication.account.network,
        "text": publication.text or labels.labelled(proposal.queue, proposal.text),
        "ai_generated": True,
        "address": publication.address or None,
        "error": publication.error or None,
    }
    assert model.owner_id is not None, "only bots of people publish"
    webhooks.note(model.owner_id, event, publication.pk, data)
