"""A feed of what a bot has published. It needs no account; readers fetch it (publishing/pages/feeds.py)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Final

from botfactory import net
from botfactory.words.translatable import mark
from publishing.networks.base import Access, Connected, Network, Outgoing, Poster, Published

#: Feeds have no limit of their own; this is the longest post of a bot.
LONGEST: Final = 4_000


class FeedPoster(Poster):
    """The row is the post, so it's there as soon as it counts as posted."""

    def is_marked(self) -> bool:
        return True

    def mark(self) -> None:
        """Do nothing: a feed says of itself that a bot writes it."""

    def publish(self, post: Outgoing) -> Published:
        return Published(post.key, "")

    def find(self, post: Outgoing) -> Published | None:
        return None

    def delete(self, remote_id: str) -> None:
        """Do nothing: a recalled post isn't in the feed any more."""


def connect(client: net.Client, entered: Mapping[str, str]) -> Connected:
    return Connected("feed", "", "", "", LONGEST, True, {})


def open_feed(access: Access) -> Poster:
    return FeedPoster()


NETWORK: Final = Network(
    name="feed",
    label=mark("Feed"),
    entries=(),
    connect=connect,
    open=open_feed,
    length=len,
    new_key=lambda: secrets.token_hex(16),
)
