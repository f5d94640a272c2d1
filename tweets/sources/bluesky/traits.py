"""What kind of post an item of a Bluesky feed is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tweets.sources.web.json_api import text_in

#: Labels that hide a post.
_WARNINGS: Final = frozenset({"!warn", "porn", "sexual", "nudity", "graphic-media", "gore"})


def author_in(uri: str) -> str:
    """Return the DID in the address of a post (at://DID/…), or ""."""
    return uri.split("/")[2] if uri.startswith("at://") else ""


def is_to_somebody_else(item: Mapping[str, Any], record: Mapping[str, Any], did: str) -> bool:
    """Return True for a reply of the account with this DID, but not for the next post of its own thread."""
    reply = record.get("reply")
    if not isinstance(reply, Mapping):
        return False
    shown = item.get("reply")
    parent = shown.get("parent") if isinstance(shown, Mapping) else None
    author = parent.get("author") if isinstance(parent, Mapping) else None
    to = author_in(text_in(reply.get("parent"), "uri")) or text_in(author, "did")
    return not to or to != did


def is_quote(record: Mapping[str, Any]) -> bool:
    """Return whether the post shows another one below it."""
    return text_in(record.get("embed"), "$type").startswith("app.bsky.embed.record")


def has_warning(view: Mapping[str, Any]) -> bool:
    """Return whether the post has a label that hides it."""
    labels = view.get("labels")
    return isinstance(labels, list) and any(text_in(label, "val") in _WARNINGS for label in labels)
