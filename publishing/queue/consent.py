"""Connect an account in the browser: its owner allows it on the network's own page, and comes back with a code.

What is needed then waits in the session: for one use, for a quarter of an hour, for this person and this bot.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from botfactory.words.translation import translated
from models_app.bots.rows import TrainedModel
from publishing.models import Account
from publishing.networks import oauth
from publishing.networks.answers import server_in
from publishing.networks.base import NetworkError
from publishing.networks.registry import network_of
from publishing.queue import connecting
from publishing.rules import apps
from publishing.rules.errors import BadValue, NotConnected
from publishing.sending import sender

#: How long people have to allow it, in seconds.
PATIENCE: Final = 15 * 60
#: The most that one person can have begun at the same time.
MOST: Final = 5
_KEPT: Final = "consents"


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the person allows it: the address, and whose page that is."""

    address: str
    host: str


def begin(
    session: Any,
    *,
    owner: int,
    model: TrainedModel,
    network: str,
    entered: Mapping[str, str],
    marks: bool,
    callback_of: Callable[[str], str],
) -> Begun:
    """Return where the person allows us to post, and remember in the session what they began.

    callback_of: the address that people come back to from a place. Each server has one of its own, so that no server
    can pass a code of another one to us. Raises BadValue, NotConnected.
    """
    kind = network_of(network)
    assert kind.consent is not None, "this network lets people in without a browser"
    try:
        if kind.consent.register is None:
            place = network
            app = apps.kept(kind, callback_of(place))
            if app is None:
                raise BadValue(_("The operator of this server hasn’t set the keys for this network."), "network")
        else:
            server = server_in(entered.get("server", ""))
            place = urlsplit(server).netloc
            app = apps.registered(sender.client(), kind, server, callback_of(place))
    except ValueError as error:
        raise BadValue(translated(error), kind.consent.entries[0].name) from None
    except NetworkError as error:
        raise NotConnected(translated(error.said)) from None
    state, verifier = secrets.token_urlsafe(32), oauth.new_verifier()
    mine = {
        "owner": owner,
        "model": str(model.pk),
        "network": network,
        "place": place,
        "entered": dict(entered),
        "marks": marks,
        "verifier": verifier,
        "until": time.time() + PATIENCE,
    }
    others = [(key, value) for key, value in session.get(_KEPT, {}).items() if value["until"] > time.time()]
    session[_KEPT] = {**dict(others[-(MOST - 1) :]), state: mine}
    address = oauth.address(kind.consent, app, state=state, verifier=verifier)
    return Begun(address, urlsplit(address).netloc)


def take(session: Any, *, owner: int, place: str, state: str) -> dict[str, Any]:
    """Return what this person began, and forget it: a state is good for one use. Raises BadValue."""
    begun = session.get(_KEPT, {})
    mine: dict[str, Any] | None = begun.pop(state, None)
    if mine is not None:
        session[_KEPT] = begun
    if mine is None or mine["owner"] != owner or mine["place"] != place or mine["until"] < time.time():
        raise BadValue(_("This took too long, or was done already. Connect the account again."), "state")
    return mine


def finish(model: TrainedModel, mine: Mapping[str, Any], *, code: str, callback: str) -> Account:
    """Take the tokens for the code, and keep the account for the bot's posts. Raises BadValue, NotConnected."""
    kind = network_of(mine["network"])
    assert kind.consent is not None, "it was begun"
    app = apps.kept(kind, callback)
    if app is None:
        raise NotConnected(_("This took too long, or was done already. Connect the account again."))
    client = sender.client()
    try:
        tokens = oauth.exchanged(client, kind.consent, app, name=kind.label, code=code, verifier=mine["verifier"])
        found = kind.consent.connect(client, app, tokens, mine["entered"])
    except NetworkError as error:
        raise NotConnected(translated(error.said)) from None
    return connecting.keep(model, mine["network"], found, marks=mine["marks"])
