"""The base models of this server that the rows in a person's ZIP mean, which came from another server."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q

from models_app.bots.rows import TrainedModel


def usable_by_all() -> Q:
    """Return what a version of the base model fulfils: nobody's, or a person's bot that is promoted."""
    return Q(owner=None) | Q(is_base=True)


def meant(bases: Iterable[TrainedModel], sha256: str, pretrained: str | None) -> TrainedModel | None:
    """Return the first of the base models with this sha256 and this pretrained model, or None.

    The first adapters of all pretrained models of a shape are the same, and so is their sha256. pretrained: the sha256
    of its publisher's file, "" for a quick model, None if the ZIP is too old to say.
    """
    for base in bases:
        if base.sha256 == sha256 and pretrained in (None, base.network.get("pretrained", "")):
            return base
    return None
