"""Whose posts these are: the account that a corpus names, and whether its posts may be brought here."""

from __future__ import annotations

from django.conf import settings

from tweets import uploads
from tweets.errors import AccountNeeded, BadHandle, NotOffered, OptedOut
from tweets.models import Corpus, OptOut
from tweets.sources.handles import Account, Network, account_of
from tweets.sources.x_archive.owner import owner_of_archive


def account_to_bring(handle: str, *, network: Network = "x") -> Account:
    """Return the account that is meant, whose posts can be read here. Raises BadHandle, NotOffered and OptedOut."""
    account = _parsed(handle, network)
    require_offered(account.network)
    require_not_opted_out(account.network, account.handle)
    return account


def account_named(typed: str) -> Account | None:
    """Return the account that was typed beside a text or file, None for none. Raises BadHandle and OptedOut."""
    if not typed.strip():
        return None
    account = _parsed(typed, "x")
    require_not_opted_out(account.network, account.handle)
    return account


def attribute(corpus: Corpus, typed: Account | None) -> None:
    """Name the account whose posts a new corpus holds: the one its archive gives, else the one that was typed.

    Raises AccountNeeded for a public figure's without either, and OptedOut.
    """
    account, upload = typed, uploads.file_of(corpus)
    if corpus.source == "x_archive" and upload is not None and (owner := owner_of_archive(upload)):
        account = Account("x", owner)
        require_not_opted_out(account.network, account.handle)
    if account is not None:
        corpus.handle, corpus.network = account.handle, account.network
    elif corpus.basis == Corpus.Basis.PUBLIC:
        raise AccountNeeded(
            "Name the account that these posts come from, such as @name. Every bot made of them is labeled as a parody "
            "of it."
        )


def x_is_offered() -> bool:
    return bool(settings.X_BEARER_TOKEN)


def require_offered(network: str) -> None:
    if network == "x" and not x_is_offered():
        raise NotOffered(
            "Importing by X handle is not set up here: the operator has to set X_BEARER_TOKEN. "
            "Your own X archive works without it, and is complete."
        )


def require_not_opted_out(network: str, handle: str) -> None:
    entry = OptOut.objects.filter(network=network, handle=handle.lower()).first()
    if entry is not None:
        raise OptedOut(
            f"{entry.account} has asked that no bot be made of this account, so its posts are not brought here. "
            "Choose another account."
        )


def _parsed(handle: str, network: Network) -> Account:
    try:
        return account_of(handle, network=network)
    except ValueError as error:
        raise BadHandle(str(error)) from None
