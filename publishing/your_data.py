"""What bots proposed and published, as lines of JSON in the person's ZIP. Without credentials and secret addresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botfactory.accounts.models import User
from botfactory.files.chunks import chunks_of, line_of
from publishing.models import Proposal
from publishing.rules import labels


def proposals(user: User) -> Iterator[bytes]:
    """Yield a line for each proposal of the person's bots, and what became of it."""
    rows_of = Proposal.objects.filter(queue__model__owner=user).select_related("queue__model__corpus")
    for rows in chunks_of(rows_of):
        yield "".join(line_of(_proposal(row)) for row in rows).encode()


def _proposal(row: Proposal) -> dict[str, Any]:
    wall = row.wall_time
    return {
        "id": str(row.pk),
        "model": str(row.queue.model_id),
        "bot": row.queue.model.name,
        "ai_generated": True,
        "label": labels.label_of(row.queue) or labels.usual_label(row.queue.model),
        "written": row.written,
        "text": row.text,
        "state": row.state,
        "reason": row.reason,
        "at": wall.isoformat(timespec="minutes") if wall else None,
        "zone": row.zone,
        "publications": [
            {
                "network": publication.account.network,
                "handle": publication.account.handle,
                "state": publication.state,
                "text": publication.text,
                "address": publication.address,
                "posted_at": publication.posted_at.isoformat() if publication.posted_at else None,
            }
            for publication in row.publications.select_related("account")
        ],
        "created_at": row.created_at.isoformat(),
    }
