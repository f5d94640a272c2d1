"""From what a person types to an account: which network it belongs to, and its handle there."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import unquote

import idna

Network = Literal["bluesky", "mastodon", "x"]
NETWORKS: tuple[Network, ...] = get_args(Network)

_NAME = re.compile(r"[A-Za-z0-9_]{1,15}\Z")
_URL = re.compile(
    r"(?:https?://)?(?:(?:www|mobile|m)\.)?(?:x|twitter)\.com/(?:#!/)?@?([^/?#]*)(?:[/?#].*)?\Z",
    re.IGNORECASE | re.DOTALL,
)
# A profile or a post on the web, an address of the protocol, or the page behind a handle of Bluesky's own.
_ON_BLUESKY = re.compile(
    r"(?:(?:https?://)?(?:www\.)?bsky\.app/profile/@?|at://@?|https?://(?=[^/?#]+\.bsky\.social\b))([^/?#]+)(?:[/?#].*)?\Z",
    re.IGNORECASE | re.DOTALL,
)
_DID = re.compile(r"did:(?:plc:[a-z2-7]{24}|web:[a-zA-Z0-9.%-]{1,200})\Z")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9]\Z")
# A profile, a post or, in older versions, the web client: /@name, /@name@elsewhere, /users/name, /web/@name.
_ON_MASTODON = re.compile(
    r"https?://([^/?#@\s]+)/(?:web/)?(?:@|users/)([^/?#]+)(?:[/?#].*)?\Z", re.IGNORECASE | re.DOTALL
)
_MASTODON_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?\Z")
_SERVER = re.compile(r"[a-z0-9.-]{1,253}(?::[0-9]{1,5})?\Z")
_LONGEST = 320  # characters of a handle

# First parts of paths on x.com that are pages of the site, not accounts.
_RESERVED = frozenset(
    {
        "about",
        "account",
        "compose",
        "download",
        "explore",
        "hashtag",
        "help",
        "home",
        "i",
        "intent",
        "jobs",
        "login",
        "logout",
        "messages",
        "notifications",
        "oauth",
        "privacy",
        "search",
        "settings",
        "share",
        "signup",
        "tos",
    }
)


@dataclass(frozen=True, slots=True)
class Account:
    """An account on a network. `handle` has no @ in front: "name", "name.bsky.social" or a DID, "name@server"."""

    network: Network
    handle: str


def account_of(typed: str, *, network: Network = "x") -> Account:
    """The account that a typed handle or the address of a profile names.

    What could be of any network, such as `@name`, is taken for one of `network`. Raises ValueError with a sentence for
    what is no account.
    """
    text = _visible(typed)
    found = _network_of(text)
    if found is None and "://" in text:
        raise ValueError("That is not the address of a profile on Bluesky, on a Mastodon server or on X.")
    found = found or network
    parse = {"x": parse_x_handle, "bluesky": parse_bluesky_handle, "mastodon": parse_mastodon_handle}[found]
    return Account(found, parse(text))


def _network_of(text: str) -> Network | None:
    """The network that a text clearly speaks of, None where it does not."""
    if _ON_BLUESKY.match(text) or text.removeprefix("@").lower().startswith("did:"):
        return "bluesky"
    if _URL.match(text):
        return "x"
    if "://" in text:
        return "mastodon" if _ON_MASTODON.match(text) else None
    if "@" in text.removeprefix("acct:").removeprefix("@"):
        return "mastodon"
    return "bluesky" if "." in text and "/" not in text else None


def parse_x_handle(text: str) -> str:
    """The handle without @, from `@name`, `name` or an address of the profile or of one of its posts.

    Upper and lower case are kept as typed. Raises ValueError with a sentence for anything else.
    """
    typed = _visible(text)
    if not typed:
        raise ValueError("Type the handle of an account, such as @name.")
    address = _URL.match(typed)
    if address:
        name = address.group(1)
        if name.lower() in _RESERVED or not name:
            raise ValueError("That address is a page of X, not an account. Type the handle, such as @name.")
    else:
        name = typed.removeprefix("@")
    if not _NAME.match(name):
        raise ValueError(
            "An X handle has 1 to 15 letters, digits or underscores, such as @name. "
            "The address of a profile, https://x.com/name, works too."
        )
    return name


def parse_bluesky_handle(text: str) -> str:
    """The handle in lower case, or the DID, from either, from `name` alone or from the address of a profile or post."""
    typed = _visible(text)
    if not typed:
        raise ValueError("Type the handle of an account, such as @name.bsky.social.")
    address = _ON_BLUESKY.match(typed)
    name = unquote(address.group(1)) if address else typed.removeprefix("@")
    if name.lower().startswith("did:"):
        if not _DID.match(name):
            raise ValueError("That is not a whole DID: one looks like did:plc:z72i7hdynmk6r22z27h6tvur.")
        return name
    if re.fullmatch(r"[A-Za-z0-9-]+", name):
        name += ".bsky.social"
    domain = _domain(name)
    if not _DOMAIN.match(domain) or len(domain) > 253:
        raise ValueError(
            "A Bluesky handle looks like @name.bsky.social or @your-domain.com. The address of a profile, "
            "https://bsky.app/profile/name.bsky.social, works too."
        )
    return domain


def parse_mastodon_handle(text: str) -> str:
    """The handle as "name@server", from `@name@server`, `name@server` or the address of a profile or post."""
    typed = _visible(text).removeprefix("acct:")
    if not typed:
        raise ValueError("Type the handle of an account with its server, such as @name@mastodon.social.")
    address = _ON_MASTODON.match(typed)
    if address:
        name, _, server = unquote(address.group(2)).partition("@")
        server = server or address.group(1)
    else:
        name, _, server = typed.removeprefix("@").partition("@")
    server = _domain(server)
    if not (_MASTODON_NAME.match(name) and _SERVER.match(server)) or len(name) + len(server) >= _LONGEST:
        raise ValueError(
            "A Mastodon handle names its server too, such as @name@mastodon.social. The address of a profile, "
            "https://mastodon.social/@name, works too."
        )
    return f"{name}@{server}"


def _visible(text: str) -> str:
    """The text without spaces around it and without invisible marks: Bluesky's pages copy handles with some."""
    return "".join(character for character in text if unicodedata.category(character) != "Cf").strip()


def _domain(name: str) -> str:
    """The domain in lower case and as DNS spells it, "" for what can be none."""
    name = name.rstrip(".").lower()
    if name.isascii():
        return name
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except UnicodeError:
        return ""
