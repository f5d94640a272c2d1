"""The sources of posts on this installation: what the operator has set for each, and which ones people can use."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal

from django.conf import settings
from django.utils.translation import gettext as _

from botfactory.accounts.models import User
from tweets.corpora.budget import MonthlyBudget
from tweets.corpora.errors import NotOffered
from tweets.models import Corpus
from tweets.sources import SourceSettings
from tweets.sources.kinds import Network, SourceKind
from tweets.sources.registry import is_network, kinds, network_of
from tweets.sources.x.costs import estimated_cost
from tweets.sources.x.settings import XSettings

#: Posts of a file in one page, and the most that the APIs of the networks return at once.
FILE_PAGE = 2_000
NETWORK_PAGE = 100


def is_offered(kind: SourceKind) -> bool:
    """Return whether the operator has set what the source needs."""
    return not isinstance(kind, Network) or not kind.needs or bool(getattr(own_settings(kind), kind.needs))


def offered() -> list[SourceKind]:
    """Return the sources that people can use here."""
    return [kind for kind in kinds() if is_offered(kind)]


def require_offered(network: str) -> None:
    """Return if accounts of the network can be read here; raise NotOffered if not."""
    kind = network_of(network)
    if not is_offered(kind):
        raise NotOffered(_(kind.not_offered))


def is_paid(source: str) -> bool:
    """Return whether the operator pays for each post that is read from this source."""
    return is_network(source) and network_of(source).is_paid


def own_settings(kind: Network) -> object:
    """Return what the operator has set for this network alone, or None if it has no settings."""
    if kind.settings is None:
        return None
    names = {field.name: kind.setting_of(field.name) for field in fields(kind.settings)}
    return kind.settings(**{field: getattr(settings, name) for field, name in names.items() if hasattr(settings, name)})


def highest_cost(kind: Network) -> Decimal:
    """Return the dollars for the import of an account that has posted as much as can be imported."""
    return estimated_cost(kind.max_posts, SourceSettings(own=own_settings(kind), max_posts=kind.max_posts))


def settings_for(corpus: Corpus, *, at_terminal: bool = False) -> SourceSettings:
    """Return how the posts of the corpus are read.

    Posts that cost money count for the owner, and their limit holds, except `at_terminal`.
    """
    private_servers = tuple(settings.PRIVATE_SERVERS)
    if not is_network(corpus.source):
        return SourceSettings(private_servers=private_servers, page_size=FILE_PAGE)
    kind = network_of(corpus.source)
    owner: User | None = corpus.owner if corpus.owner_id is not None else None
    own = own_settings(kind)
    budget = MonthlyBudget(own.monthly_posts, owner, is_limited=not at_terminal) if isinstance(own, XSettings) else None
    return SourceSettings(
        own=own,
        budget=budget,
        private_servers=private_servers,
        newer_than=newest_key(corpus),
        account_id=corpus.account_id,
        # Other people's words are bought only if the bot learns them.
        include_reposts=not kind.is_paid or corpus.keep_reposts,
        page_size=NETWORK_PAGE,
        max_posts=kind.max_posts,
    )


def newest_key(corpus: Corpus) -> str | None:
    """Return the key of the newest own post of an account, None while not all its posts are here."""
    if not is_network(corpus.source) or not corpus.is_complete:
        return None
    own = corpus.posts.filter(is_repost=False, posted_at__isnull=False)
    return own.order_by("-posted_at", "pk").values_list("key", flat=True).first()
