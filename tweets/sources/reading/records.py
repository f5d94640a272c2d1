"""Turn one record of a file (a JSON object or a CSV row) into a Post, whatever its fields are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tweets.sources.base import Post, storable

# In order of preference: the full text before one that may be cut off.
TEXT_NAMES = ("full_text", "text", "tweet_text", "tweet", "content", "body", "post", "message", "status")
ID_NAMES = ("id_str", "tweet_id", "status_id", "post_id", "id")
DATE_NAMES = ("created_at", "createdat", "timestamp", "datetime", "date", "time", "published")
_REPOST_NAMES = ("retweeted_status", "retweeted_status_id", "retweeted_status_id_str", "is_retweet", "is_repost")
_REPLY_ID_NAMES = ("in_reply_to_user_id_str", "in_reply_to_user_id")
_REPLY_NAMES = (
    "in_reply_to_status_id",
    "in_reply_to_status_id_str",
    "in_reply_to_screen_name",
    "in_reply_to_tweet_id",
    "in_reply_to_id",
    "is_reply",
)
_QUOTE_NAMES = ("is_quote_status", "is_quote")
#: What Mastodon and Misskey call posts that not everybody may read.
_NOT_PUBLIC = frozenset({"private", "followers", "specified", "direct"})
#: How tables and databases say "none".
_NOTHING = frozenset({"", "0", "0.0", "false", "f", "no", "n", "none", "null", "nan", "[]", "{}"})
_ENTITY = re.compile(r"&(amp|lt|gt|quot|apos|#0?39);")
_CHARACTERS = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "#39": "'", "#039": "'"}
_MAX_KEY = 64
_UNIX = re.compile(r"\d{9,13}(\.\d+)?")
_ZONE_NAME = re.compile(r" (?:UTC|GMT)\Z")
_ZONE_APART = re.compile(r" ([+-]\d{2}:?\d{2})\Z")
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}


def unescaped(text: str) -> str:
    """Return the text with X's entities decoded once, so that a typed "&lt;" stays as typed."""
    return _ENTITY.sub(lambda entity: _CHARACTERS[entity.group(1)], text)


def field_name(name: str) -> str:
    """Return a header or key as these lists spell it: "Created At" and "created-at" are "created_at"."""
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


def text_of(record: Mapping[str, Any]) -> str | None:
    """Return the full text of a record, "" if it is null, or None if no field has a text."""
    note = record.get("note_tweet")
    extended = record.get("extended_tweet")
    for whole, name in ((note, "text"), (extended, "full_text")):
        if isinstance(whole, Mapping) and isinstance(whole.get(name), str):
            return str(whole[name])
    found = None
    for name in TEXT_NAMES:
        value = record.get(name)
        if isinstance(value, str):
            return value
        if value is None and name in record:
            found = ""
    return found


def post_of(
    record: Mapping[str, Any], text: str, place: str, *, seen: set[str] | None = None, threads: bool = False
) -> Post:
    """Return the post of a record. `place` is its key if the record has no usable id, or one that is already in `seen`.

    With `threads` an answer that does not begin with @ is the next post of the person's own thread, not a reply: so X
    writes it in archives, where half of some people's best posts are in threads. A post that isn't public gets an empty
    text.
    """
    text = storable(unescaped(text)) if is_public(record) else ""
    key = id_of(record)
    if key is None or (seen is not None and key in seen):
        key = place
    elif seen is not None:
        seen.add(key)
    traits = traits_of(record, text, threads=threads)
    return Post(
        key=key,
        text=text,
        created_at=_first(parse_date(record[name]) for name in DATE_NAMES if name in record),
        is_repost=traits.is_repost,
        is_reply=traits.is_reply,
        is_quote=traits.is_quote,
        has_warning=traits.has_warning,
    )


@dataclass(frozen=True, slots=True)
class Traits:
    """What kind of post it is, as in `Post`."""

    is_repost: bool
    is_reply: bool
    is_quote: bool
    has_warning: bool


def traits_of(record: Mapping[str, Any], text: str, *, threads: bool = False) -> Traits:
    """Return what a record and the beginning of its text say about the kind of post. `threads`: see `post_of`."""
    references = _reference_types(record)
    is_repost = text.startswith("RT @") or any(_says(record, name) for name in _REPOST_NAMES)
    is_repost = is_repost or "retweeted" in references
    is_quote = "quoted" in references or any(_says(record, name) for name in _QUOTE_NAMES)
    return Traits(
        is_repost,
        is_reply=not is_repost and (text.startswith("@") if threads else _is_reply(record, text)),
        is_quote=not is_repost and is_quote,
        has_warning=_says(record, "has_warning"),
    )


def is_public(record: Mapping[str, Any]) -> bool:
    """Return whether everybody may read the post. A record that doesn't say so counts as public."""
    return str(record.get("visibility")).strip().lower() not in _NOT_PUBLIC


def id_of(record: Mapping[str, Any]) -> str | None:
    """Return the id of the record as text of at most 64 characters, or None."""
    for name in ID_NAMES:
        value = record.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value) if abs(value) < 10**_MAX_KEY else ""
        if isinstance(value, str) and 0 < len(key := storable(value).strip()) <= _MAX_KEY and _filled(key):
            return key
    return None


def parse_date(value: object) -> datetime | None:
    """Return the time in UTC, from ISO 8601, the formats of X's files, or Unix seconds or milliseconds; else None.

    A date without a zone is taken as UTC. Days and months in doubtful order (3/4/2019) are not guessed at.
    """
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _from_unix(float(value))
        if not isinstance(value, str):
            return None
        text = value.strip()
        if text[:3].isalpha():
            return _from_archive(text)
        if _UNIX.fullmatch(text):
            return _from_unix(float(text))
        moment = datetime.fromisoformat(_ZONE_NAME.sub("Z", _ZONE_APART.sub(r"\1", text)))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _from_archive(text: str) -> datetime:
    """Parse "Wed Oct 10 20:19:24 +0000 2018" ten times as fast as strptime: there may be a million of them."""
    month = _MONTHS.get(text[4:7])
    if month and len(text) == 30 and text[19:26] == " +0000 " and text[8:10].isdigit():
        hours, minutes, seconds = text[11:19].split(":")
        return datetime(int(text[26:]), month, int(text[8:10]), int(hours), int(minutes), int(seconds), tzinfo=UTC)
    return datetime.strptime(text, "%a %b %d %H:%M:%S %z %Y").astimezone(UTC)


def _from_unix(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds / 1000 if seconds > 100_000_000_000 else seconds, UTC)


def _is_reply(record: Mapping[str, Any], text: str) -> bool:
    if text.startswith("@"):
        return True
    to = _first(str(record[name]) for name in _REPLY_ID_NAMES if _says(record, name))
    if to is not None:
        user = record.get("user")
        author = record.get("author_id") or (user.get("id_str") if isinstance(user, Mapping) else None)
        return author is None or str(author) != to  # a reply to oneself continues a thread
    return any(_says(record, name) for name in _REPLY_NAMES) or "replied_to" in _reference_types(record)


def _reference_types(record: Mapping[str, Any]) -> set[str]:
    references = record.get("referenced_tweets")
    if not isinstance(references, list):
        return set()
    return {str(reference.get("type")) for reference in references if isinstance(reference, Mapping)}


def _says(record: Mapping[str, Any], name: str) -> bool:
    value = record.get(name)
    # pandas writes NaN for missing values.
    return _filled(value) if isinstance(value, str) else bool(value) and value == value


def _filled(value: str) -> bool:
    return value.strip().lower() not in _NOTHING


def _first(values: Iterable[Any]) -> Any:
    return next((value for value in values if value is not None), None)
