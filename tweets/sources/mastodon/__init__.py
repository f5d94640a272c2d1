"""Mastodon: the public posts of an account on any server with this API."""

from __future__ import annotations

from botfactory.words.translatable import mark
from tweets.sources.base import Source, SourceSettings
from tweets.sources.kinds import Network
from tweets.sources.mastodon.handles import claim, parse, server_of


def _open(handle: str, settings: SourceSettings) -> Source:
    from tweets.sources.mastodon.reader import MastodonSource

    return MastodonSource(handle, settings)


KIND = Network(
    name="mastodon",
    label="Mastodon",
    at_terminal="@name@mastodon.social",
    open=_open,
    example="@name@mastodon.social",
    hint=mark(
        "With its server, or the address of the profile. Only public posts are read, and no boosts. A thousand posts "
        "take about half a minute."
    ),
    parse=parse,
    claim=claim,
    known_server="mastodon.social",
    server_of=server_of,
)
