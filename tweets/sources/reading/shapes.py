"""The fields of a post in a JSON record, in all shapes of the networks' exports and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tweets.sources.bluesky.traits import author_in, has_warning, is_quote, is_to_somebody_else
from tweets.sources.reading.html_text import text_of_html
from tweets.sources.reading.records import field_name, text_of

_PUBLIC = "activitystreams#Public"
_OF_MASTODON = ("reblog", "spoiler_text")
_OF_MISSKEY = ("visibility", "replyId")
# Other lists beside the posts, or in a post.
NOT_POSTS = frozenset({"errors", "edit_history_tweet_ids", "referenced_tweets", "media_attachments", "media"}) | {
    "hashtags",
    "mentions",
    "symbols",
    "tags",
    "urls",
    "user_mentions",
}


def fields_of(record: Any) -> Mapping[str, Any] | None:
    """Return the fields by their names in `records`, or None if the record isn't an object.

    It knows plain objects, `{"tweet": {…}}` of X's archives, `{"data": {…}}` of its API, a post of Mastodon's API or an
    activity of its export (outbox.json), a note of Misskey's, and an item of a Bluesky feed. Posts of Mastodon that
    aren't public get an empty text; `records.is_public` tells the others.
    """
    if not isinstance(record, Mapping):
        return None
    for wrapper in ("tweet", "data"):
        if isinstance(record.get(wrapper), Mapping) and text_of(record) is None:
            record = record[wrapper]
    view = record.get("post") if isinstance(record.get("post"), Mapping) else record
    if isinstance(view.get("record"), Mapping) and isinstance(view.get("uri"), str):
        return _of_bluesky(record, view, view["record"])
    if record.get("type") in ("Create", "Announce") and "object" in record:
        return _of_outbox(record, record["object"])
    if any(name in record for name in _OF_MASTODON) and isinstance(record.get("content"), str):
        return _of_mastodon(record)
    if all(name in record for name in _OF_MISSKEY):
        return _of_misskey(record)
    return {field_name(str(name)): value for name, value in record.items()}


def _of_bluesky(item: Mapping[str, Any], view: Mapping[str, Any], record: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "id": view["uri"].rsplit("/", 1)[-1],
        "text": record.get("text"),
        "created_at": record.get("createdAt"),
        "is_repost": isinstance(item.get("reason"), Mapping) and "epost" in str(item["reason"].get("$type")),
        "is_reply": is_to_somebody_else(item, record, author_in(view["uri"])),
        "is_quote": is_quote(record),
        "has_warning": has_warning(view),
    }


def _of_outbox(activity: Mapping[str, Any], note: Any) -> Mapping[str, Any]:
    note = note if isinstance(note, Mapping) else {}
    readers = [*_several(activity.get("to")), *_several(activity.get("cc"))]
    is_public = any(reader.endswith(_PUBLIC) or reader == "as:Public" for reader in readers)
    return {
        "id": str(activity.get("id", "")).removesuffix("/activity").rsplit("/", 1)[-1],
        "text": text_of_html(str(note.get("content") or "")) if is_public else "",
        "created_at": note.get("published") or activity.get("published"),
        "is_repost": activity["type"] == "Announce",
        "is_reply": _is_to_somebody_else(note.get("inReplyTo"), activity.get("actor") or note.get("attributedTo")),
        "has_warning": bool(str(note.get("summary") or "").strip()),
    }


def _is_to_somebody_else(to: Any, actor: Any) -> bool:
    """Return True for a reply, but not for the next post of one's own thread: its address is below the actor's."""
    to, actor = (value.get("id") if isinstance(value, Mapping) else value for value in (to, actor))
    return bool(to) and not (isinstance(actor, str) and str(to).startswith(actor.rstrip("/") + "/"))


def _of_mastodon(status: Mapping[str, Any]) -> Mapping[str, Any]:
    account = status.get("account")
    own = account.get("id") if isinstance(account, Mapping) else None
    boosted = status.get("reblog")
    to = status.get("in_reply_to_account_id")
    content = boosted.get("content") if isinstance(boosted, Mapping) else status["content"]
    is_public = status.get("visibility", "public") in ("public", "unlisted")
    return {
        "id": status.get("id"),
        "text": text_of_html(str(content or "")) if is_public else "",
        "created_at": status.get("created_at"),
        "is_repost": isinstance(boosted, Mapping),
        "is_reply": bool(status.get("in_reply_to_id")) and (own is None or str(to) != str(own)),
        "has_warning": bool(str(status.get("spoiler_text") or "").strip()),
    }


def _of_misskey(note: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of a note of Misskey, or of Sharkey and its other forks.

    An export doesn't say whose note was answered, so the next note of one's own thread is a reply, too.
    """
    text, shared = note.get("text"), bool(note.get("renoteId"))
    return {
        "id": note.get("id"),
        "text": text,
        "created_at": note.get("createdAt"),
        "visibility": note["visibility"],
        "is_repost": shared and not text,
        "is_quote": shared,
        "is_reply": bool(note["replyId"]),
        "has_warning": bool(str(note.get("cw") or "").strip()),
    }


def _several(value: Any) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else [str(value)]
