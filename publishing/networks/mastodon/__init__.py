"""Mastodon: an application of ours at each server, or an access token of the person's own one.

Each post has an Idempotency-Key, which servers know for an hour.
"""

from __future__ import annotations

import uuid
from typing import Final

from botfactory.words.translatable import mark
from publishing.networks.base import Access, Entry, Network, Poster
from publishing.networks.graphemes import graphemes
from publishing.networks.mastodon.poster import SCOPES, MastodonPoster, connect, connect_by_consent, register
from publishing.networks.oauth import Consent


def open_account(access: Access) -> Poster:
    return MastodonPoster(access)


_SERVER: Final = Entry(
    name="server",
    label=mark("Server"),
    hint=mark("There you allow Bot Factory to post, and then you come back."),
    example="https://example.social",
)

NETWORK: Final = Network(
    name="mastodon",
    label="Mastodon",
    entries=(_SERVER, Entry(name="token", label=mark("Access token"), is_secret=True)),
    consent=Consent(
        entries=(_SERVER,),
        page=lambda server: f"{server}/oauth/authorize",
        token_path="/oauth/token",
        scopes=SCOPES,
        has_basic=False,
        register=register,
        connect=connect_by_consent,
    ),
    connect=connect,
    open=open_account,
    length=graphemes,
    new_key=lambda: str(uuid.uuid4()),
    mark_is=mark("“This is an automated account” in its profile"),
)
