"""The forms that begin a search, and those of its page."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from botfactory.accounts.models import User
from botfactory.words.translation import translated
from models_app.bases import services as bases
from models_app.bases.forms import TrainBaseForm
from models_app.bots import naming
from models_app.bots.rows import TrainedModel
from models_app.search import space as spaces
from models_app.search.how import DEFAULT_TRIALS, MAX_AT_ONCE, MAX_TRIALS, How
from models_app.search.rows import Search
from models_app.search.space import BadSpace
from models_app.training import planning

LONGEST_SPACE: Final = 20_000


class SpaceField(forms.CharField):
    """A space as JSON or TOML; None if it's blank."""

    widget = forms.Textarea(attrs={"rows": 12, "spellcheck": "false", "class": "code", "lang": "en"})

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=LONGEST_SPACE, strip=True, **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return spaces.read(text)
        except BadSpace as error:
            raise forms.ValidationError(translated(error)) from error


def _trials(**kwargs: Any) -> forms.IntegerField:
    return forms.IntegerField(min_value=1, max_value=MAX_TRIALS, label=gettext_lazy("Trials"), **kwargs)


class HowForm(forms.Form):
    """What all searches have: the number of trials, how they're chosen and ended, and a seed."""

    trials = _trials(initial=DEFAULT_TRIALS)
    sampler = forms.ChoiceField(
        choices=Search.Sampler.choices, initial=Search.Sampler.TPE, label=gettext_lazy("Choose the next trial by")
    )
    pruner = forms.ChoiceField(
        choices=Search.Pruner.choices, initial=Search.Pruner.MEDIAN, label=gettext_lazy("End a trial early")
    )
    at_once = forms.IntegerField(
        min_value=1,
        max_value=MAX_AT_ONCE,
        initial=1,
        label=gettext_lazy("Trials at once"),
        help_text=gettext_lazy("More than one only helps if the server can train several at once."),
    )
    seed = forms.IntegerField(min_value=0, max_value=2**31 - 1, required=False, label=gettext_lazy("Seed"))

    def how(self) -> How:
        return _how(self.cleaned_data)


def _how(data: dict[str, Any]) -> How:
    return How(**{name: data[name] for name in HowForm.base_fields})


class SearchForm(HowForm):
    """A search for the best settings of a bot."""

    start = forms.ChoiceField(label=gettext_lazy("Start from"))
    minutes = forms.IntegerField(
        min_value=planning.MIN_MINUTES,
        max_value=planning.MAX_MINUTES,
        required=False,
        label=gettext_lazy("Minutes for each trial"),
        help_text=gettext_lazy("Only for a fluent bot. The default is 3."),
    )
    space = SpaceField(
        required=False,
        label=gettext_lazy("What the trials vary"),
        help_text=gettext_lazy("As TOML or JSON. Leave it blank for the usual settings of the kind of bot."),
    )
    field_order = ("start", "trials", "minutes", "space", "sampler", "pruner", "at_once", "seed")

    def __init__(self, *args: Any, starts: list[TrainedModel], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._starts = {str(model.pk): model for model in starts}
        field = self.fields["start"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(key, naming.shown(model)) for key, model in self._starts.items()]

    def asked(self) -> dict[str, Any]:
        """Return the keyword arguments for `services.start_for_bot`, besides owner and corpus."""
        data = self.cleaned_data
        start = self._starts[data["start"]]
        return {"start": start, "minutes": data["minutes"], "space": data["space"], "how": self.how()}


class BaseSearchForm(TrainBaseForm):
    """A search for a base model: what a base training needs, and the space instead of its settings."""

    trials = _trials(initial=DEFAULT_TRIALS)
    sampler = HowForm.base_fields["sampler"]
    pruner = HowForm.base_fields["pruner"]
    at_once = HowForm.base_fields["at_once"]
    space = SpaceField(
        label=gettext_lazy("What the trials vary"),
        help_text=gettext_lazy(
            "As TOML or JSON. The field starts with the settings that the 2018 tutorial behind Bot Factory varied."
        ),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, user=user, **kwargs)
        for name in (*bases.SETTINGS, "vocabulary"):
            if name != "seed":
                del self.fields[name]
        tutorial = (spaces.SHIPPED / "tutorial.toml").read_text(encoding="utf-8")
        self.fields["space"].initial = tutorial
        self.fields["minutes"].help_text = _("For each trial. Training time only.")
        self.fields["megabytes"].help_text = _("For each trial: what it reads in all.")

    def asked(self) -> dict[str, Any]:
        """Return the keyword arguments for `services.start_for_base`, besides the person."""
        asked = super().asked()
        # The trials vary what a training has as values, and its vocabulary.
        del asked["values"], asked["vocabulary"]
        return asked | {"space": self.cleaned_data["space"], "how": _how(self.cleaned_data)}

    def parts(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Return the fields in the order of the page."""
        names = ("name", "start", "network", "learn_from", "validation", "corpus", "minutes", "megabytes")
        own = ("trials", "space", "sampler", "pruner", "at_once", "seed")
        return [("", [self[name] for name in (*names, *own)])]


class MoreTrialsForm(forms.Form):
    trials = _trials(initial=10)


class UseForm(forms.Form):
    """Which trial to use, and what the result is called. A base model can learn longer than the trial did."""

    trial = forms.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        required=False,
        label=gettext_lazy("Number of the trial"),
        help_text=gettext_lazy("Blank: the best."),
    )
    name = forms.CharField(max_length=72, required=False, label=gettext_lazy("Name"))
    minutes = forms.FloatField(
        required=False,
        min_value=0.1,
        label=gettext_lazy("Minutes"),
        help_text=gettext_lazy("Blank: as long as the trial."),
    )

    def __init__(self, *args: Any, search: Search, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if search.kind == Search.Kind.BOT:
            del self.fields["minutes"]

    @property
    def budget(self) -> bases.Budget | None:
        minutes = self.cleaned_data.get("minutes")
        return None if minutes is None else bases.Budget(minutes=minutes)
