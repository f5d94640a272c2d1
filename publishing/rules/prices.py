"""What networks charge for a post, which is shown before it's approved."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from publishing.models import Account


def price_of(accounts: Iterable[Account], text: str) -> float | None:
    """Return the dollars that a post with this text costs at these accounts together; None if none charges."""
    prices = [account.kind.price.of(text) for account in accounts if account.kind.price is not None]
    return sum(prices) if prices else None


def shown(accounts: Iterable[Account], text: str) -> str:
    """Return the price as a sentence in the active language, or "" if it costs nothing."""
    for account in accounts:
        price = account.kind.price
        if price is not None and price.has_link(text):
            said = _("%(network)s charges the operator $%(price)s for this post, because it has a link.")
            return said % {"network": _(account.kind.label), "price": number_format(price.with_link, 2)}
        if price is not None:
            said = _("%(network)s charges the operator $%(price)s for this post. With a link, it would be $%(more)s.")
            values = {"price": number_format(price.post, 3), "more": number_format(price.with_link, 2)}
            return said % {"network": _(account.kind.label), **values}
    return ""
