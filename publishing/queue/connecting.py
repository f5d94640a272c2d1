"""Connect, mark and disconnect the accounts where a bot's posts appear, and open its feed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from botfactory.words.translation import translated
from models_app.bots.rows import TrainedModel
from publishing.models import Account, Queue
from publishing.networks.base import Connected, LoggedOut, NetworkError
from publishing.networks.registry import network_of, networks
from publishing.queue import services
from publishing.rules import credentials
from publishing.rules.errors import BadValue, NotConnected
from publishing.sending import sender

FEED = "feed"


def connect(model: TrainedModel, network: str, entered: Mapping[str, str], *, marks: bool = True) -> Account:
    """Log in at the network, and keep the account for the bot's posts. Connecting it again is the same.

    marks: also mark the account as a bot, if it isn't; without a mark, nothing is sent. Raises BadValue, NotConnected.
    """
    if network not in {each.name for each in networks()}:
        raise BadValue(_("There is no such network."), "network")
    kind = network_of(network)
    try:
        found = kind.connect(sender.client(), entered)
    except ValueError as error:
        raise BadValue(translated(error), kind.entries[0].name if kind.entries else "network") from None
    except NetworkError as error:
        raise NotConnected(translated(error.said)) from None
    return keep(model, network, found, marks=marks)


def keep(model: TrainedModel, network: str, found: Connected, *, marks: bool) -> Account:
    """Keep an account that let us in for the bot's posts. Raises BadValue, NotConnected."""
    with services.held(model) as queue:
        account = _kept(queue, network, found)
    if marks and account.state == Account.State.UNMARKED:
        mark(account)
    return account


def _kept(queue: Queue, network: str, found: Connected) -> Account:
    account = Account.objects.filter(queue=queue, network=network).first() or Account(queue=queue, network=network)
    is_other = not account._state.adding and account.remote_id != found.remote_id
    if is_other and account.publications.exclude(state__in=("failed", "missed", "recalled")).exists():
        # Its posts could no longer be asked about or recalled.
        raise BadValue(
            _("Posts of this bot belong to %(handle)s. Connect that account again, or recall its posts first.")
            % {"handle": account.handle}
        )
    account.remote_id, account.handle, account.address = found.remote_id, found.handle[:255], found.address[:2000]
    account.server, account.longest, account.rules = found.server, found.longest, list(found.rules)
    account.credentials = credentials.sealed(found.credentials) if found.credentials else ""
    account.state = Account.State.CONNECTED if found.is_marked else Account.State.UNMARKED
    account.trouble, account.trouble_words, account.troubled_at = "", {}, None
    account.mail_due_at, account.not_before = None, None
    if network == FEED:
        account.link = account.link or _new_link()
    account.save()
    if found.is_marked:
        sender.resume(queue)
    return account


def mark(account: Account) -> Account:
    """Have the network show the account as a bot, and go on sending. Raises NotConnected with the network's answer."""
    try:
        poster = sender.poster_of(account)
        poster.mark()
        is_marked = poster.is_marked()
    except LoggedOut as error:
        sender.note_trouble(account, Account.State.LOGGED_OUT, error.said)
        raise NotConnected(translated(error.said)) from None
    except NetworkError as error:
        said = _("The account couldn’t be marked as a bot: %(reason)s Do it on the network, then try again.")
        raise NotConnected(said % {"reason": translated(error.said)}) from None
    if not is_marked:
        raise NotConnected(_("The network doesn’t show the account as a bot. Mark it there, then try again."))
    fresh: dict[str, Any] = {"trouble": "", "trouble_words": {}, "troubled_at": None, "mail_due_at": None}
    with services.held(account.queue.model) as queue:
        Account.objects.filter(pk=account.pk, state=Account.State.UNMARKED).update(
            state=Account.State.CONNECTED, **fresh
        )
        sender.resume(queue)
    account.refresh_from_db()
    return account


def secret_of(account: Account) -> str:
    """Return the secret that was made for its owner, to be shown once right after connecting. "" if there is none."""
    return credentials.opened(account.credentials)[account.kind.secret] if account.kind.secret else ""


def disconnect(account: Account) -> None:
    """Forget the credentials, or close the feed. What waits there waits until it's connected again."""
    with transaction.atomic():
        Account.objects.filter(pk=account.pk).update(
            state=Account.State.REMOVED, credentials="", link=None, trouble="", trouble_words={}, mail_due_at=None
        )


def renew_link(account: Account) -> Account:
    """Give the feed a new address. The old one stops working."""
    if account.network != FEED:
        raise BadValue(_("Only a feed has a link."))
    Account.objects.filter(pk=account.pk, state=Account.State.CONNECTED).update(link=_new_link())
    account.refresh_from_db()
    return account


def _new_link() -> str:
    return secrets.token_urlsafe(32)
