"""Handles of Mastodon: a name and its server."""

from __future__ import annotations

import re
from urllib.parse import unquote

from botfactory.words.translatable import mark
from tweets.sources.base import NoAccount
from tweets.sources.handles import LONGEST, domain, visible
from tweets.sources.kinds import Claim

# A profile, a post or, in older versions, the web client: /@name, /@name@elsewhere, /users/name, /web/@name.
_ADDRESS = re.compile(r"https?://([^/?#@\s]+)/(?:web/)?(?:@|users/)([^/?#]+)(?:[/?#].*)?\Z", re.IGNORECASE | re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?\Z")
_SERVER = re.compile(r"[a-z0-9.-]{1,253}(?::[0-9]{1,5})?\Z")


def claim(text: str) -> Claim:
    """Return how surely the text names an account on a Mastodon server."""
    if "://" in text:
        return Claim.ADDRESS if _ADDRESS.match(text) else Claim.NO
    return Claim.HANDLE if "@" in text.removeprefix("acct:").removeprefix("@") else Claim.NO


def parse(text: str) -> str:
    """Return the handle as "name@server", from `@name@server`, `name@server` or the address of a profile or post.

    Raises NoAccount for anything else.
    """
    typed = visible(text).removeprefix("acct:")
    if not typed:
        raise NoAccount(mark("Type the handle of an account with its server, such as @name@mastodon.social."))
    address = _ADDRESS.match(typed)
    if address:
        name, _, server = unquote(address.group(2)).partition("@")
        server = server or address.group(1)
    else:
        name, _, server = typed.removeprefix("@").partition("@")
    server = _server(server)
    if not (_NAME.match(name) and _SERVER.match(server)) or len(name) + len(server) >= LONGEST:
        raise NoAccount(
            mark(
                "A Mastodon handle names its server too, such as @name@mastodon.social. The address of a profile, "
                "https://mastodon.social/@name, works too."
            )
        )
    return f"{name}@{server}"


def _server(typed: str) -> str:
    """Return the domain, with its port unless that is the one of HTTPS, so that each server has one spelling."""
    host, _, port = typed.partition(":")
    host, port = domain(host), port.lstrip("0")
    return host if port in ("", "443") else f"{host}:{port}"


def server_of(handle: str) -> str:
    """Return the server of a handle "name@server"."""
    return handle.rpartition("@")[2].lower()
