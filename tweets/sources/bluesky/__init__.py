"""Bluesky: the public posts of an account, through the API that needs no key."""

from __future__ import annotations

from botfactory.words.translatable import mark
from tweets.sources.base import Source, SourceSettings
from tweets.sources.bluesky.handles import claim, parse
from tweets.sources.bluesky.settings import BlueskySettings
from tweets.sources.kinds import Network


def _open(handle: str, settings: SourceSettings) -> Source:
    from tweets.sources.bluesky.reader import BlueskySource

    return BlueskySource(handle, settings)


KIND = Network(
    name="bluesky",
    label="Bluesky",
    at_terminal="@name.bsky.social",
    open=_open,
    example="@name.bsky.social",
    hint=mark(
        "Or the address of the profile. You need no key and no password. A thousand posts take a few seconds. "
        "Accounts that hide their posts from people who aren’t signed in to Bluesky aren’t read."
    ),
    parse=parse,
    claim=claim,
    settings=BlueskySettings,
    known_server="public.api.bsky.app",
)
