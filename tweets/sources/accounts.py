"""From what a person types to an account: the network that it belongs to, and its handle there."""

from __future__ import annotations

from typing import Final

from botfactory.words.translatable import mark
from tweets.sources.base import NoAccount
from tweets.sources.handles import visible
from tweets.sources.kinds import Account, Claim
from tweets.sources.registry import network_of, networks

__all__ = ["Account", "account_of", "is_certain"]

#: Whose a bare `@name` is, unless the person has chosen a network.
OF_BARE_NAMES: Final = "x"


def account_of(typed: str, *, network: str = OF_BARE_NAMES) -> Account:
    """Return the account that a typed handle or the address of a profile names.

    What could belong to any network, such as `@name`, belongs to `network`. Raises NoAccount.
    """
    text = visible(typed)
    claim, name = _surest(text)
    if claim is Claim.NO:
        if "://" in text:
            labels = [kind.label for kind in networks().values()]
            raise NoAccount(
                mark("This isn’t the address of a profile on %(networks)s or %(last)s."),
                networks=", ".join(labels[:-1]),
                last=labels[-1],
            )
        name = network
    return Account(name, network_of(name).parse(text))


def is_certain(typed: str) -> bool:
    """Return whether the text can be nothing but an account of one network."""
    return _surest(visible(typed))[0] is Claim.CERTAIN


def _surest(text: str) -> tuple[Claim, str]:
    """Return the strongest claim to the text, and whose it is; of equal ones the first."""
    claims = [(kind.claim(text), kind.name) for kind in networks().values()]
    return max(claims, key=lambda claim: claim[0])
