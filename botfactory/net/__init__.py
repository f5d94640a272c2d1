"""Requests to servers that people name, safely. Pure: no Django, so that sources of posts and webhooks both use it."""

from __future__ import annotations

from botfactory.net.addresses import is_public, origin_of
from botfactory.net.client import Client, Patience
from botfactory.net.errors import BadAnswer, NetError, Refused, Unavailable, UnknownHost
from botfactory.net.exchange import Answer, Incoming
from botfactory.net.wire import Wire

__all__ = [
    "Answer",
    "BadAnswer",
    "Client",
    "Incoming",
    "NetError",
    "Patience",
    "Refused",
    "Unavailable",
    "UnknownHost",
    "Wire",
    "is_public",
    "origin_of",
]
