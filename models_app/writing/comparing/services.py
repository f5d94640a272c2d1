"""Side by side: the same beginning and the same seed for several bots, or for one at several temperatures."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from botfactory.accounts.models import User
from models_app.bots import naming
from models_app.bots.rows import Tier, TrainedModel
from models_app.bots.versions import NoBaseModel
from models_app.ml.config import SamplingConfig
from models_app.sharing import access
from models_app.sharing.rights import Right, gallery_for_user, rights_of, shared_by_link
from models_app.training import starting_points
from models_app.writing import asking, generations
from models_app.writing.rows import Generation

MIN_COLUMNS: Final = 2
MAX_COLUMNS: Final = 4
#: The most posts in a column.
MAX_POSTS: Final = 5
#: The temperatures of "careful, natural, wild" in each tier. The second is the usual one.
THREE: Final[dict[str, tuple[float, ...]]] = {Tier.QUICK: (0.5, 0.9, 1.4), Tier.FLUENT: (0.3, 0.5, 0.9)}
#: The length of the last part of a link; an id is shorter.
_LINK_LENGTH: Final = 43
#: The lists offer this many of the person's own bots and of the gallery, newest first; a link leads to any other.
_MAX_LISTED: Final = 100
#: Up to each of these multiples of the usual temperature, the word that describes the posts, as in
#: static/js/temperatures.js.
_WORDS: Final = (
    (0.0, gettext_lazy("always the same")),
    (0.62, gettext_lazy("careful")),
    (0.89, gettext_lazy("calm")),
    (1.12, gettext_lazy("natural")),
    (1.45, gettext_lazy("bold")),
)


class ComparingError(Exception):
    """Nothing can be compared like this; the message tells the person why."""

    code = "cannot_be_compared"


@dataclass(frozen=True, slots=True)
class Choice:
    """A bot that a person may let write. `key`: its id, or its link if it's unlisted."""

    key: str
    model: TrainedModel
    is_of_others: bool = False

    @property
    def name(self) -> str:
        return naming.called(self.model)

    @property
    def action(self) -> str:
        """Return the address that lets it write."""
        if len(self.key) == _LINK_LENGTH:
            return reverse("shared_by_link_generate", args=[self.key])
        is_shared = self.model.owner_id is not None and not self.model.is_base and self.is_of_others
        return reverse("shared_generate" if is_shared else "generate", args=[self.model.pk])


@dataclass(frozen=True, slots=True)
class Column:
    """A bot and the temperature at which it writes, and what it wrote."""

    choice: Choice
    temperature: float
    generation: Generation | None = None

    @property
    def word(self) -> str:
        """Return the word that describes posts that the bot writes at this temperature."""
        share = self.temperature / self.choice.model.usual.temperature
        return str(next((word for most, word in _WORDS if share <= most), _("wild")))


def choice_for_user(user: Any, key: str) -> Choice:
    """Return the bot with this id or link. Raises TrainedModel.DoesNotExist unless the person may let it write."""
    if len(key) == _LINK_LENGTH:
        model = shared_by_link(user, key)
    else:
        try:
            model = TrainedModel.objects.select_related("owner", "corpus", "parent").get(pk=uuid.UUID(key))
        except ValueError:
            raise TrainedModel.DoesNotExist from None
    if Right.WRITE not in rights_of(user, model, link=key):
        raise TrainedModel.DoesNotExist
    return Choice(key, model, is_of_others=model.owner_id != user.pk)


def choices_for_user(user: User, asked: Iterable[Choice] = ()) -> dict[str, list[Choice]]:
    """Return the bots to choose from, by where they are from; `asked` are among them in any case."""
    own = [Choice(str(model.pk), model) for model in access.models_for_user(user)[:_MAX_LISTED]]
    try:
        bases = [Choice(str(model.pk), model) for model in starting_points.bases()]
    except NoBaseModel:
        bases = []
    public = gallery_for_user(user).exclude(owner=user).order_by("-created_at", "pk")[:_MAX_LISTED]
    shared = [Choice(str(model.pk), model, is_of_others=True) for model in public]
    listed = {choice.key for choice in (*own, *bases, *shared)}
    found = {
        _("Your bots"): own,
        _("Shared with you"): [*(choice for choice in asked if choice.key not in listed), *shared],
        _("Base models"): bases,
    }
    return {group: choices for group, choices in found.items() if choices}


def require_columns(columns: Sequence[Column]) -> None:
    """Raise ComparingError unless there are two to four columns."""
    if not MIN_COLUMNS <= len(columns) <= MAX_COLUMNS:
        raise ComparingError(_("Choose two to four bots, or the same bot at two to four temperatures."))


def three_of(model: TrainedModel) -> tuple[float, ...]:
    """Return the temperatures of "careful, natural, wild" of a bot."""
    return THREE[model.tier]


def three_temperatures(choice: Choice) -> list[Column]:
    """Return the columns "careful, natural, wild" of a bot."""
    return [Column(choice, temperature) for temperature in three_of(choice.model)]


def beside(generation: Generation | None) -> list[Column]:
    """Return the columns "careful, natural, wild" of which `generation` is one, or nothing if it was written alone.

    They have everything in common but the temperature. A column that failed or was deleted is missing.
    """
    if generation is None:
        return []
    model, settings = generation.model, generation.sampling
    three = three_of(model)
    if settings.get("temperature") not in three:
        return []
    found: dict[float, Generation] = {}
    for each in model.generations.filter(owner=generation.owner_id, sampling__seed=settings.get("seed")):
        temperature = each.sampling.get("temperature")
        if temperature in three and each.sampling == {**settings, "temperature": temperature}:
            found.setdefault(temperature, each)
    choice = Choice(str(model.pk), model)
    columns = [Column(choice, temperature, found[temperature]) for temperature in three if temperature in found]
    return columns if len(columns) >= MIN_COLUMNS else []


def write(
    *,
    owner: User,
    columns: Sequence[Column],
    sampling: SamplingConfig,
    proceed: Callable[[], None] | None = None,
) -> list[Column]:
    """Let each column write with the same seed, and return them with what they wrote.

    Raises ComparingError, and what `asking.generate` raises.
    """
    require_columns(columns)
    same = generations.seeded(replace(sampling, count=min(sampling.count, MAX_POSTS)))
    # Before any column writes.
    for column in columns:
        generations.require_possible(column.choice.model, same)
    return [
        replace(
            column,
            generation=asking.generate(
                model=column.choice.model,
                owner=owner,
                sampling=replace(same, temperature=column.temperature),
                proceed=proceed,
            ),
        )
        for column in columns
    ]
