"""Mastodon, by the access token of an application. Each post has an Idempotency-Key, which servers know for an hour."""

from __future__ import annotations

import uuid
from typing import Final

from botfactory.words.translatable import mark
from publishing.networks.base import Access, Entry, Network, Poster
from publishing.networks.graphemes import graphemes
from publishing.networks.mastodon.poster import MastodonPoster, connect


def open_account(access: Access) -> Poster:
    return MastodonPoster(access)


NETWORK: Final = Network(
    name="mastodon",
    label="Mastodon",
    entries=(
        Entry(name="server", label=mark("Server"), example="https://botsin.example"),
        Entry(
            name="token",
            label=mark("Access token"),
            hint=mark(
                "On your server: Preferences, Development, New application. Allow “read” and “write”, save, and copy "
                "the access token."
            ),
            is_secret=True,
        ),
    ),
    connect=connect,
    open=open_account,
    length=graphemes,
    new_key=lambda: str(uuid.uuid4()),
    mark_is=mark("“This is an automated account” in its profile"),
)
