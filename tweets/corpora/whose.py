"""Whose posts these are: the account that a corpus names, and whether its posts may be imported here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from botfactory.words.translatable import Sentence, mark
from botfactory.words.translation import translated
from tweets.corpora import uploads
from tweets.corpora.errors import AccountNeeded, BadHandle, OptedOut
from tweets.corpora.offered import require_offered
from tweets.models import Corpus, OptOut
from tweets.sources.accounts import OF_BARE_NAMES, Account, account_of
from tweets.sources.kinds import FileKind
from tweets.sources.registry import is_network, kind_of


def account_to_bring(handle: str, *, network: str = OF_BARE_NAMES) -> Account:
    """Return the account that is meant, whose posts can be read here. Raises BadHandle, NotOffered and OptedOut."""
    account = _parsed(handle, network)
    require_offered(account.network)
    require_not_opted_out(account.network, account.handle)
    return account


def account_named(typed: str) -> Account | None:
    """Return the account that was typed beside a text or file, None for none. Raises BadHandle and OptedOut."""
    if not typed.strip():
        return None
    account = _parsed(typed, OF_BARE_NAMES)
    require_not_opted_out(account.network, account.handle)
    return account


def attribute(corpus: Corpus, typed: Account | None) -> None:
    """Name the account whose posts a new corpus holds: the one that its file names, else the one that was typed.

    Raises AccountNeeded for a public figure's posts without either, and OptedOut.
    """
    account = _named_in_file(corpus) or typed
    if account is not None:
        require_not_opted_out(account.network, account.handle)
        corpus.handle, corpus.network = account.handle, account.network
    elif corpus.basis == Corpus.Basis.PUBLIC:
        raise AccountNeeded(
            _(
                "Name the account that wrote these posts, such as @name. Every bot that learns from them is labeled as "
                "a parody of it."
            )
        )


def accounts_of(corpus: Corpus) -> set[tuple[str, str]]:
    """Return the network and the handle, in lower case, of each account whose posts the corpus is known to hold."""
    networks = {corpus.network, corpus.source} - {""}
    own = {(network, corpus.handle.lower()) for network in networks if is_network(network) and corpus.handle}
    return own | accounts_in(corpus.parts)


def accounts_in(parts: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Return the same of the parts of a blend."""
    # Parts from earlier versions came from their network, or nobody knows whose they are.
    return {(str(part.get("network") or part["source"]), part["handle"].lower()) for part in parts if part["handle"]}


def require_not_opted_out(network: str, handle: str) -> None:
    """Return if posts of the account may be imported here; raise OptedOut if it asked not to be made into a bot."""
    entry = OptOut.objects.filter(network=network, handle=handle.lower()).first()
    if entry is not None:
        raise OptedOut(
            _(
                "%(account)s has asked not to be made into a bot, so you can’t import its posts here. Choose another "
                "account."
            )
            % {"account": entry.account}
        )


def require_none_opted_out(network: str, handle: str) -> None:
    """Do the same with a sentence that can be translated when it's shown, as a worker has no reader."""
    try:
        require_not_opted_out(network, handle)
    except OptedOut as error:
        raise OptedOut(Sentence(mark("%(account)s has asked not to be made into a bot."), account=handle)) from error


def _named_in_file(corpus: Corpus) -> Account | None:
    kind, upload = kind_of(corpus.source), uploads.file_of(corpus)
    if not isinstance(kind, FileKind) or kind.owner_of is None or upload is None:
        return None
    return kind.owner_of(upload)


def _parsed(handle: str, network: str) -> Account:
    try:
        return account_of(handle, network=network)
    except ValueError as error:
        raise BadHandle(translated(error)) from None
