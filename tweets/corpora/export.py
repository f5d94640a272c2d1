"""A corpus as a file: every original post, with the result of its cleaning."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.utils.text import slugify

from botfactory.accounts.models import User
from botfactory.files.chunks import line_of, stream
from tweets.corpora import audit
from tweets.models import AuditEntry, Corpus

CHUNK = 2_000
_COLUMNS = (
    "pk",
    "key",
    "text",
    "posted_at",
    "is_repost",
    "is_reply",
    "is_quote",
    "has_warning",
    "is_removed",
    "cleaned",
    "dropped",
)


def file_name(corpus: Corpus) -> str:
    """Return the name of the exported file."""
    return f"{slugify(corpus.name) or 'posts'}.jsonl"


def begin(corpus: Corpus, *, by: User) -> AsyncIterator[bytes]:
    """Log the export and return its lines. They are read on demand, so a large corpus needs no more memory."""
    audit.record_corpus(AuditEntry.Action.EXPORT, corpus, by=by, posts=corpus.posts_found)
    return stream(pieces_of(corpus))


def pieces_of(corpus: Corpus) -> Iterator[bytes]:
    """Yield lines of JSON, many at a time, in the order of the source."""
    last = 0
    while rows := list(corpus.posts.filter(pk__gt=last).order_by("pk").values_list(*_COLUMNS)[:CHUNK]):
        yield "".join(_line(row) for row in rows).encode()
        last = rows[-1][0]


def _line(row: tuple[Any, ...]) -> str:
    _, key, text, posted_at, is_repost, is_reply, is_quote, has_warning, is_removed, cleaned, dropped = row
    post = {
        "id": key,
        "text": text,
        "created_at": posted_at.isoformat() if posted_at else None,
        "is_repost": is_repost,
        "is_reply": is_reply,
        "is_quote": is_quote,
        "has_warning": has_warning,
        "is_removed": is_removed,
        "cleaned": None if dropped else cleaned,
        "dropped": dropped or None,
    }
    return line_of(post)
