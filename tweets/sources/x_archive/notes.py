"""The full texts of long posts. An X archive has them in a separate file; the post file has them cut off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from tweets.sources.base import Post
from tweets.sources.reading.records import parse_date

_PREFIX = 200  # characters of the post that must match the note
_SECONDS = 2  # a note has no id of its post, only a time; in a thread it differs by up to two seconds
_MENTIONS = re.compile(r"\A(?:@\w+\s+)+")
_LINK = re.compile(r"https?://t\.co/\w+")  # X gives the post and its note different ones
_CUT = re.compile(r"(?:…|\s*https?://t\.co/\w+)+\s*\Z")
_END = 300  # characters at the end of a post that `_CUT` searches; in a long run of spaces it would take minutes


class Notes:
    """Find the full text of a post by its time and its first 200 characters."""

    def __init__(self, records: Iterable[Mapping[str, Any]]) -> None:
        self._by_second: dict[int, list[str]] = {}
        for record in records:
            note = record.get("noteTweet", record)
            core = note.get("core") if isinstance(note, Mapping) else None
            text = core.get("text") if isinstance(core, Mapping) else None
            created_at = parse_date(note.get("createdAt")) if isinstance(note, Mapping) else None
            if isinstance(text, str) and created_at:
                self._by_second.setdefault(int(created_at.timestamp()), []).append(text)

    def full_text(self, post: Post) -> str | None:
        """Return the text of the post's note after the names that it replies to, or None without a longer note."""
        if post.created_at is None or not self._by_second:
            return None
        mentions = _MENTIONS.match(post.text)
        lead = mentions.group() if mentions else ""
        shown = _without_end(post.text[len(lead) :])
        start = _squeezed(shown)[:_PREFIX]
        if not start:
            return None
        for note in self._near(post.created_at):
            if len(note) <= len(shown):
                continue
            if _squeezed(note).startswith(start):
                return lead + note
            if _squeezed(note).startswith(_squeezed(_without_end(post.text))[:_PREFIX]):
                return note
        return None

    def _near(self, moment: datetime) -> Iterable[str]:
        # The same second first: two notes of a thread may begin the same way.
        for drift in sorted(range(-_SECONDS, _SECONDS + 1), key=abs):
            yield from self._by_second.get(int((moment + timedelta(seconds=drift)).timestamp()), ())


def _without_end(text: str) -> str:
    """Return the text without the sign and the link with which X cuts it off."""
    return text[:-_END] + _CUT.sub("", text[-_END:])


def _squeezed(text: str) -> str:
    return " ".join(_LINK.sub("", text).split())
