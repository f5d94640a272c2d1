"""X, by OAuth 2 with PKCE. Off until the operator sets the keys of an app, because X charges for each post.

A post has no key of ours, so after an unknown outcome the account's own posts are looked through.
"""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Final

from botfactory.words.translatable import mark
from publishing.networks.base import Access, Entry, Network, Poster, Price
from publishing.networks.oauth import Consent
from publishing.networks.x.lengths import has_link, weighted
from publishing.networks.x.poster import TOKEN_PATH, XPoster, connect, connect_without_browser

#: What X charges the operator (docs.x.com, Pricing), and when that was.
PRICE: Final = Price(post=0.015, with_link=0.20, has_link=has_link)
PRICE_SEEN: Final = date(2026, 8, 28)
API: Final = "https://api.x.com"


def page_of(server: str) -> str:
    """Return the address where people allow us to post. A server for tests has its own."""
    return "https://x.com/i/oauth2/authorize" if server == API else f"{server}/i/oauth2/authorize"


def open_account(access: Access) -> Poster:
    return XPoster(access, CONSENT)


CONSENT: Final = Consent(
    entries=(
        Entry(
            name="is_marked",
            label=mark("I have marked the account as automated on X"),
            hint=mark("On X: Settings, Your account, Account information, Automation. X doesn’t let us check it."),
            is_promise=True,
        ),
    ),
    page=page_of,
    token_path=TOKEN_PATH,
    scopes="tweet.read tweet.write users.read offline.access",
    has_basic=True,
    register=None,
    connect=connect,
)

NETWORK: Final = Network(
    name="x",
    label="X",
    entries=(),
    connect=connect_without_browser,
    open=open_account,
    length=weighted,
    new_key=lambda: str(uuid.uuid4()),
    mark_is=mark("the label “Automated” in its profile"),
    consent=CONSENT,
    price=PRICE,
    settles=timedelta(minutes=1),
)
