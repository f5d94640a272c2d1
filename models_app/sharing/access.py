"""Which models a person may see, and how people name them."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from botfactory.accounts.models import User
from botfactory.web.missing import missing_is_404
from models_app.bots import versions
from models_app.bots.errors import UnknownModel
from models_app.bots.rows import TrainedModel
from models_app.sharing import rights as sharing
from models_app.sharing.rights import Right, rights_of


def models_for_user(user: Any) -> QuerySet[TrainedModel]:
    """Return the person's own models. The base model isn't among them; see `bases_for_user`."""
    if not (user.is_authenticated and user.is_active):
        return TrainedModel.objects.none()
    return TrainedModel.objects.filter(owner=user).select_related("owner", "corpus", "parent")


def model_for_user(user: Any, model_id: uuid.UUID) -> TrainedModel:
    """Return the model if the person may see its training. Raises TrainedModel.DoesNotExist for everybody else.

    `sharing` says what others see of a shared model.
    """
    model = TrainedModel.objects.select_related("owner", "corpus", "parent", "job").get(pk=model_id)
    if Right.ORIGIN not in rights_of(user, model):
        raise TrainedModel.DoesNotExist
    return model


def find_model(text: str, *, user: User | None = None) -> TrainedModel:
    """Return the model named at the terminal: `base`, `fluent`, an id, or `owner/name`.

    With `user`, only what they may see.
    """
    for tier, name in versions.SHIPPED.items():
        if text == name:
            return versions.base_model(tier)
    rows = TrainedModel.objects.select_related("owner")
    if user is not None:
        rows = rows.filter(Q(owner=user) | Q(is_base=True))
    try:
        found = rows.filter(pk=uuid.UUID(text)).first()
    except ValueError:
        owner, _slash, name = text.partition("/")
        found = rows.filter(owner__username=owner, name=name).first() if name else None
    if found is None:
        sentence = _("There is no model %(name)s. Use its id, owner/name, `base` or `fluent`.")
        raise UnknownModel(sentence % {"name": repr(text)})
    return found


def model_or_404(request: HttpRequest, model_id: uuid.UUID, *, to_change: bool = False) -> TrainedModel:
    """Return the model if the person may see it or, with `to_change`, change it. Raises Http404 otherwise."""
    with missing_is_404(TrainedModel.DoesNotExist):
        model = model_for_user(request.user, model_id)
    if to_change and sharing.Right.CHANGE not in sharing.rights_of(request.user, model):
        raise Http404("There is no such model.")
    return model
