"""The log of who did what with whose posts, and when. Entries are never changed; the administration shows them."""

from __future__ import annotations

import uuid
from typing import Any

from botfactory.accounts.models import User
from tweets.models import AuditEntry, Corpus


def record(
    action: AuditEntry.Action, *, by: User | None, about: str, subject_id: uuid.UUID | None = None, **details: Any
) -> AuditEntry:
    """Write an entry. `by` is None if no person asked for it. Names outlive the rows that they name."""
    return AuditEntry.objects.create(
        action=action,
        who=by,
        who_name=by.get_username() if by else "",
        about=about,
        subject_id=subject_id,
        details=details,
    )


def record_corpus(action: AuditEntry.Action, corpus: Corpus, *, by: User | None, **details: Any) -> AuditEntry:
    """Write an entry about a corpus."""
    about = f"{corpus.name} ({corpus.account})" if corpus.account else corpus.name
    return record(action, by=by, about=about, subject_id=corpus.pk, owner=corpus.owner.get_username(), **details)
