"""The form that trains a bot: a tier or one of the person's bots to start from, the epochs, a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypedDict

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from botfactory.web.durations import about
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.config import MAX_EPOCHS, MIN_EPOCHS
from models_app.training import estimates, planning
from models_app.training.machines import Pace
from tweets.models import Corpus

#: The most minutes that the page's slider offers; programs may ask for more.
SLIDER_MINUTES: Final = 120
#: The choice of `start` that leaves it to `bot` which model.
OWN: Final = "own"
SETTINGS: Final = ("learning_rate", "batch_size", "sequence_length", "dropout")


@dataclass(frozen=True, slots=True)
class Course:
    """How trainings of a tier on some posts go: for the page and its script."""

    tier: Tier
    epochs: int
    max_epochs: int
    starting: float
    epoch: float
    #: The posts that an epoch reads.
    posts: int
    #: Of a fluent training: its default minutes, the fewest that make sense, and from there for each minute: how many
    #: posts it reads, how many seconds it takes, and how often it reads them.
    minutes: int
    least_minutes: int
    plans: list[tuple[int, float, int]]
    #: What a blank setting stands for; without those that the tier doesn't have.
    automatic: dict[str, float]

    @classmethod
    def of(cls, corpus: Corpus, tier: Tier, pace: Pace, network: Mapping[str, Any] | None) -> Course:
        """Return the course of a training that starts from a base model with this network."""
        estimate = estimates.estimate(corpus.characters, tier, pace=pace)
        values = planning.automatic(corpus, tier, network).as_dict()
        posts = round(corpus.posts_kept * (1 - estimates.VALIDATION_SHARE))
        least, plans = _plans(corpus, posts, pace) if tier == Tier.FLUENT else (0, [])
        return cls(
            tier=tier,
            epochs=1 if tier == Tier.FLUENT else planning.default_epochs(corpus),
            max_epochs=planning.MAX_EPOCHS_BY_TIER[tier],
            starting=round(estimate.starting, 2),
            epoch=round(estimate.epoch, 2),
            posts=posts,
            minutes=min(max(planning.DEFAULT_MINUTES, least), least + len(plans) - 1) if plans else 0,
            least_minutes=least,
            plans=plans,
            automatic={name: values[name] for name in SETTINGS if name in values},
        )

    @property
    def max_minutes(self) -> int:
        return self.least_minutes + len(self.plans) - 1

    @property
    def reads_twice(self) -> bool:
        """Whether a fluent training reads all posts twice if it has the time."""
        return bool(self.plans) and self.plans[-1][2] > 1

    @property
    def about(self) -> str:
        """The estimated time with the default epochs or minutes, in words."""
        seconds = self.starting + self.epochs * self.epoch
        if self.plans:
            seconds = self.plans[self.minutes - self.least_minutes][1]
        return _("about %(time)s") % {"time": about(seconds)}

    @property
    def for_script(self) -> dict[str, Any]:
        names = ("epochs", "max_epochs", "starting", "epoch", "posts", "least_minutes", "plans", "automatic")
        return {name: getattr(self, name) for name in names}


def _plans(corpus: Corpus, posts: int, pace: Pace) -> tuple[int, list[tuple[int, float, int]]]:
    """Return the fewest minutes that make sense, and what is read in each number of minutes from there on.

    That is how many posts, in how many seconds, and how often. What is read at least may take several minutes; fewer
    make no difference then, and neither do more than all posts need.
    """
    least = planning.MIN_MINUTES
    of_all = estimates.reading_within(SLIDER_MINUTES, corpus.characters, pace=pace)
    readings: list[estimates.Reading] = []
    for minutes in range(least, SLIDER_MINUTES + 1):
        reading = estimates.reading_within(minutes, corpus.characters, pace=pace)
        if readings == [reading]:
            least = minutes
        else:
            readings.append(reading)
        if reading == of_all:
            break
    found = []
    for reading in readings:
        seconds = estimates.seconds_of(corpus.characters, Tier.FLUENT, reading, pace=pace)
        most = reading.most_characters
        share = most / (corpus.characters * (1 - estimates.VALIDATION_SHARE)) if most else 1.0
        found.append((max(1, round(posts * share)), round(seconds, 1), reading.epochs))
    return least, found


class Extent(TypedDict, total=False):
    """How much a training reads, as `trainings.fine_tune` takes it."""

    epochs: int | None
    minutes: int | None


class TrainForm(forms.Form):
    """The settings of a training: the starting model, the epochs (quick) or minutes (fluent) and a name."""

    start = forms.ChoiceField(label=gettext_lazy("Start from"))
    bot = forms.ChoiceField(label=gettext_lazy("Your bot"), required=False)
    epochs = forms.IntegerField(
        min_value=MIN_EPOCHS, max_value=MAX_EPOCHS, required=False, label=gettext_lazy("Epochs")
    )
    minutes = forms.IntegerField(
        min_value=planning.MIN_MINUTES, max_value=planning.MAX_MINUTES, required=False, label=gettext_lazy("Minutes")
    )
    name = forms.CharField(max_length=80, required=False, label=gettext_lazy("Name of the bot"))
    # A blank field uses the value that fits the size of the corpus.
    learning_rate = forms.FloatField(
        min_value=0.000001, max_value=1, required=False, label=gettext_lazy("Learning rate")
    )
    batch_size = forms.IntegerField(min_value=1, max_value=4096, required=False, label=gettext_lazy("Batch size"))
    sequence_length = forms.IntegerField(
        min_value=1, max_value=1024, required=False, label=gettext_lazy("Sequence length")
    )
    dropout = forms.FloatField(min_value=0, max_value=0.9, required=False, label=gettext_lazy("Dropout"))
    seed = forms.IntegerField(min_value=0, max_value=2**31 - 1, required=False, label=gettext_lazy("Seed"))

    def __init__(self, *args: Any, bases: list[TrainedModel], own: list[TrainedModel], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bases, self.own = bases, own
        self._models = {str(model.pk): model for model in [*bases, *own]}
        for name, choices in (("start", [*self._models, OWN]), ("bot", ["", *map(str, (model.pk for model in own))])):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [(key, key) for key in choices]

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if data.get("start") == OWN:
            data["start"] = data.get("bot", "")
            if not data["start"] and "bot" not in self.errors:
                self.add_error("bot", _("Choose one of your bots."))
        return data

    @property
    def picked(self) -> TrainedModel | None:
        """The model that the page shows as chosen: as sent or asked for, else the first; None if there is none."""
        start = self["start"].value()
        if start == OWN:
            start = self["bot"].value()
        return self._models.get(str(start)) or next(iter(self._models.values()), None)

    @property
    def picks_own(self) -> bool:
        """Whether the page shows one of the person's bots as chosen, or that one is to be."""
        return self["start"].value() == OWN or self.picked in self.own

    def chosen_start(self) -> TrainedModel:
        return self._models[self.cleaned_data["start"]]

    def extent(self) -> Extent:
        """Return how much the training reads: minutes for a fluent bot, epochs for a quick one."""
        if self.chosen_start().tier == Tier.FLUENT:
            return {"minutes": self.cleaned_data["minutes"]}
        return {"epochs": self.cleaned_data["epochs"]}

    def settings(self) -> dict[str, Any]:
        """Return the values that the person has set."""
        return {name: self.cleaned_data[name] for name in SETTINGS if self.cleaned_data[name] is not None}
