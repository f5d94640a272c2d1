"""Handles of Bluesky: domains and DIDs."""

from __future__ import annotations

import re
from urllib.parse import unquote

from botfactory.words.translatable import mark
from tweets.sources.base import NoAccount
from tweets.sources.handles import domain, visible
from tweets.sources.kinds import Claim

# A profile or a post on the web, an address of the protocol, or the page behind a handle of Bluesky's own.
_ADDRESS = re.compile(
    r"(?:(?:https?://)?(?:www\.)?bsky\.app/profile/@?|at://@?|https?://(?=[^/?#]+\.bsky\.social\b))([^/?#]+)(?:[/?#].*)?\Z",
    re.IGNORECASE | re.DOTALL,
)
_DID = re.compile(r"did:(?:plc:[a-z2-7]{24}|web:[a-zA-Z0-9.%-]{1,200})\Z")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9]\Z")


def claim(text: str) -> Claim:
    """Return how surely the text names an account of Bluesky."""
    if _ADDRESS.match(text) or text.removeprefix("@").lower().startswith("did:"):
        return Claim.CERTAIN
    is_domain = "." in text and "/" not in text and "@" not in text.removeprefix("acct:").removeprefix("@")
    return Claim.HANDLE if is_domain else Claim.NO


def parse(text: str) -> str:
    """Return the handle in lower case, or the DID.

    The text is either of them, `name` alone, or the address of a profile or post. Raises NoAccount for
    anything else.
    """
    typed = visible(text)
    if not typed:
        raise NoAccount(mark("Type the handle of an account, such as @name.bsky.social."))
    address = _ADDRESS.match(typed)
    name = unquote(address.group(1)) if address else typed.removeprefix("@")
    if name.lower().startswith("did:"):
        if not _DID.match(name):
            raise NoAccount(mark("This DID isn’t complete. A DID looks like did:plc:z72i7hdynmk6r22z27h6tvur."))
        return name
    if re.fullmatch(r"[A-Za-z0-9-]+", name):
        name += ".bsky.social"
    found = domain(name)
    if not _DOMAIN.match(found) or len(found) > 253:
        raise NoAccount(
            mark(
                "A Bluesky handle looks like @name.bsky.social or @your-domain.com. The address of a profile, "
                "https://bsky.app/profile/name.bsky.social, works too."
            )
        )
    return found
