"""What Bot Factory knows about a network, and what it asks of one: publish, look, delete, mark the account as a bot.

A network never retries by itself. It says what it knows: the post is there, it isn't, or nobody can tell.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botfactory import net

if TYPE_CHECKING:
    from publishing.networks.oauth import App, Consent


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A post as it leaves. The same key, text and moment at each try, so that sending again changes nothing.

    key: made once for this post and this account (`Network.new_key`); began_at: when it was first tried; language: a
    code such as "de", or "" if nobody knows; known: ids of posts of ours that the network has already, which are
    others than this one; model: the name of the bot.
    """

    key: str
    text: str
    began_at: datetime
    language: str = ""
    known: frozenset[str] = frozenset()
    model: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """A post on a network: its id there, and the address where people read it."""

    remote_id: str
    address: str


@dataclass(frozen=True, slots=True)
class Connected:
    """An account that let us in. The repr leaves out what must stay secret.

    remote_id: the id of the account, which stays when its handle changes; longest: characters of a post; rules: what
    its server asks of everybody; is_marked: whether the network shows it as a bot.
    """

    remote_id: str
    handle: str
    address: str
    server: str
    longest: int
    is_marked: bool
    credentials: Mapping[str, str] = field(repr=False)
    rules: tuple[str, ...] = ()


class NetworkError(Exception):
    """What a network or the way to it said; the message is a sentence for the person, marked for translation."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


class NotAccepted(NetworkError):
    """The network refused this, clearly: nothing was published, and another try would be refused, too."""


class LoggedOut(NetworkError):
    """The network says that the credentials are invalid. Nothing was published."""


class Later(NetworkError):
    """The network asks for a pause. Nothing was published."""

    def __init__(self, said: str, at: datetime) -> None:
        super().__init__(said)
        self.at = at


class Unclear(NetworkError):
    """There was no clear answer. If this was a post, nobody knows whether it's published."""


class Poster(ABC):
    """A connected account. Each method may raise any NetworkError."""

    @abstractmethod
    def is_marked(self) -> bool:
        """Return whether the network shows the account as a bot."""

    @abstractmethod
    def mark(self) -> None:
        """Have the network show the account as a bot."""

    @abstractmethod
    def publish(self, post: Outgoing) -> Published:
        """Publish the post. NotAccepted, LoggedOut and Later mean that it isn't there."""

    @abstractmethod
    def find(self, post: Outgoing) -> Published | None:
        """Return the post if the network has it, and None if it says that it doesn't, or can't be asked.

        Nothing is published by asking.
        """

    @abstractmethod
    def delete(self, remote_id: str) -> None:
        """Delete a post. One that is gone already counts as deleted."""

    def withdraw(self, post: Outgoing) -> None:
        """Delete a post of which nobody knows whether the network has it."""
        if (found := self.find(post)) is not None:
            self.delete(found.remote_id)


@dataclass(frozen=True, slots=True)
class Access:
    """What a poster needs: the way out, the account's id there, its credentials, and where changed ones are kept.

    app: the operator's app at a network that needs one, None if its keys aren't set.
    """

    client: net.Client
    remote_id: str
    handle: str
    credentials: Mapping[str, str] = field(repr=False)
    keep: Callable[[Mapping[str, str]], None]
    app: App | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A field of the form that connects an account. A secret one is never shown again; a promise is a checkbox."""

    name: str
    label: str
    hint: str = ""
    default: str = ""
    example: str = ""
    is_secret: bool = False
    is_promise: bool = False


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for a post, without and with a link."""

    post: float
    with_link: float
    has_link: Callable[[str], bool]

    def of(self, text: str) -> float:
        return self.with_link if self.has_link(text) else self.post


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What every network says about itself. The words are marked for translation.

    - `name`: in the database and in the API, at most 16 characters
    - `label`: its proper name
    - `entries`: what connects an account without a browser; none where that isn't possible or not needed
    - `connect`: log in with what was entered. Raises any NetworkError, ValueError with a sentence
    - `open`: an account that is connected
    - `length`: of a text, in the network's own unit
    - `new_key`: the key of a new post
    - `mark_is`: what the network calls the mark of a bot; "" if it has none
    - `consent`: how people let us in on the network's own page, in the browser
    - `price`: what a post costs the operator
    - `settles`: what the network doesn't show so soon after a try may still be there
    - `secret`: the name of a credential that was made for its owner, who sees it once; "" if there is none
    """

    name: str
    label: str
    entries: tuple[Entry, ...]
    connect: Callable[[net.Client, Mapping[str, str]], Connected]
    open: Callable[[Access], Poster]
    length: Callable[[str], int]
    new_key: Callable[[], str]
    mark_is: str = ""
    consent: Consent | None = None
    price: Price | None = None
    settles: timedelta = timedelta()
    secret: str = ""

    @property
    def needs_account(self) -> bool:
        return bool(self.entries) or self.consent is not None

    @property
    def needs_keys(self) -> bool:
        """Return whether it's offered only where the operator has set the keys of an app."""
        return self.consent is not None and self.consent.register is None


def text_of(record: Any, name: str) -> str:
    """Return the text in a field of an object of an answer, or ""."""
    value = record.get(name) if isinstance(record, Mapping) else None
    return value.replace("\x00", "") if isinstance(value, str) else ""
