"""Whose posts a bot has learned, by itself or through the bots that it started from, and which bots started from it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import suppress

from botfactory.accounts.models import User
from models_app.bots import visibility
from models_app.bots.rows import TrainedModel
from tweets.corpora import whose
from tweets.models import Corpus


def accounts_to_learn(
    corpus: Corpus | None, parent: TrainedModel | None, more: Iterable[tuple[str, str]] = ()
) -> list[list[str]]:
    """Return the accounts, [network, handle] each, whose posts a bot of this corpus and starting point learns.

    `more`: others of which that is known. Raises OptedOut if one of them has opted out.
    """
    found = {(network, handle.lower()) for network, handle in more}
    if corpus is not None:
        found |= whose.accounts_of(corpus)
    if parent is not None:
        found |= {(network, handle) for network, handle in parent.learned_accounts}
    for network, handle in found:
        whose.require_none_opted_out(network, handle)
    return [list(account) for account in sorted(found)]


def of_account(network: str, handle: str) -> list[TrainedModel]:
    """Return the bots that have learned posts of the account, also if its corpora are deleted."""
    wanted = [network, handle.lower()]
    rows = TrainedModel.objects.exclude(learned_accounts=[]).values_list("pk", "learned_accounts")
    return list(TrainedModel.objects.filter(pk__in=[number for number, learned in rows if wanted in learned]))


def with_descendants(models: Iterable[TrainedModel]) -> list[TrainedModel]:
    """Return the models and all that started from them, directly or not, newest first."""
    found: dict[uuid.UUID, TrainedModel] = {}
    generation = list(models)
    while generation:
        found.update((model.pk, model) for model in generation)
        children = TrainedModel.objects.filter(parent__in=[model.pk for model in generation])
        generation = [model for model in children if model.pk not in found]
    return sorted(found.values(), key=lambda model: model.created_at, reverse=True)


def end_sharing(models: Iterable[TrainedModel], *, by: User | None = None) -> None:
    """Make the models private: nobody can tell any more whose posts they have learned. `by`: else their owners."""
    private = TrainedModel.Visibility.PRIVATE
    for model in models:
        if model.visibility != private:
            # One may be deleted meanwhile.
            with suppress(TrainedModel.DoesNotExist):
                visibility.change(model, private, by=by)
