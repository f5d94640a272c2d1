"""X: the posts of a public account, which X sells to the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botfactory.words.translatable import mark
from tweets.sources.base import Source, SourceSettings
from tweets.sources.kinds import Network
from tweets.sources.x.handles import claim, parse
from tweets.sources.x.settings import XSettings

if TYPE_CHECKING:
    from tweets.sources.x.reader import XAccount


# tweepy is loaded where posts are read, and not where a page lists the sources.
def _open(handle: str, settings: SourceSettings) -> Source:
    from tweets.sources.x.reader import XApiSource

    return XApiSource(handle, settings)


def look_up(handle: str, settings: SourceSettings) -> XAccount:
    """Return an account before any of its posts are bought. The lookup alone costs `XSettings.user_price`."""
    from tweets.sources.x.reader import XApiSource

    return XApiSource(handle, settings).look_up()


KIND = Network(
    name="x",
    label="X",
    at_terminal="@name (X)",
    open=_open,
    example="@name",
    hint=mark(
        "The account must be public. X provides its newest %(max_posts)s posts and charges this server up to "
        "$%(cost)s for them. If X asks for a pause, the import waits and then continues. Is it your own account? "
        "Your X archive is free and complete."
    ),
    parse=parse,
    claim=claim,
    settings=XSettings,
    needs="bearer_token",
    not_offered=mark(
        "You can’t import by X handle here: the operator hasn’t set X_BEARER_TOKEN. Your own X archive works without "
        "it, and it has all your posts."
    ),
    is_paid=True,
    max_posts=3_200,
)
