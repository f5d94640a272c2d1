"""Bluesky, by app password. A post has a record key of ours, so writing it again changes nothing."""

from __future__ import annotations

import secrets
import time
from typing import Final

from botfactory.words.translatable import mark
from publishing.networks.base import Access, Entry, Network, Poster
from publishing.networks.bluesky.poster import BlueskyPoster, connect
from publishing.networks.graphemes import graphemes

_LETTERS: Final = "234567abcdefghijklmnopqrstuvwxyz"


def new_key() -> str:
    """Return a record key (TID): microseconds since 1970 and ten random bits, in 13 sortable letters."""
    number = (time.time_ns() // 1_000) << 10 | secrets.randbits(10)
    return "".join(_LETTERS[(number >> shift) & 31] for shift in range(60, -1, -5))


def open_account(access: Access) -> Poster:
    return BlueskyPoster(access)


NETWORK: Final = Network(
    name="bluesky",
    label="Bluesky",
    entries=(
        Entry(name="identifier", label=mark("Handle"), example="name.bsky.social"),
        Entry(
            name="password",
            label=mark("App password"),
            hint=mark(
                "Make one in Bluesky: Settings, Privacy and security, App passwords. Never enter your own password."
            ),
            example="xxxx-xxxx-xxxx-xxxx",
            is_secret=True,
        ),
        Entry(
            name="server",
            label=mark("Server"),
            hint=mark("Change it only if your account isn’t on Bluesky’s own servers."),
            default="https://bsky.social",
        ),
    ),
    connect=connect,
    open=open_account,
    length=graphemes,
    new_key=new_key,
    mark_is=mark("the label “bot” in its profile"),
)
