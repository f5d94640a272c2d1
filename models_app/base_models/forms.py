from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.forms.boundfield import BoundField

from botfactory.accounts.models import User
from botfactory.words import counted
from models_app.base_models import archive as base_archive
from models_app.base_models import services as bases
from models_app.ml.config import NETWORKS, PretrainConfig
from models_app.models import TrainedModel
from tweets.models import Corpus

DEFAULT = PretrainConfig()


class UploadForm(forms.Form):
    archive = forms.FileField(
        label="Zip of the model",
        help_text=f"config.json and weights.safetensors, of at most {base_archive.LARGEST_MB} MB; they are checked "
        "before anything is kept.",
    )
    name = forms.CharField(max_length=72, required=False, help_text="Blank: the name of the file.")

    def clean_archive(self) -> Any:
        archive = self.cleaned_data["archive"]
        if archive.size > base_archive.LARGEST_MB * 1_000_000:
            raise forms.ValidationError(f"The file is larger than {base_archive.LARGEST_MB} MB.")
        return archive


class TrainBaseForm(forms.Form):
    """The data, start, length and settings of a base training; blank fields use the defaults."""

    name = forms.CharField(max_length=72, initial="base")
    learn_from = forms.MultipleChoiceField(
        required=False, label="Files to learn from", widget=forms.CheckboxSelectMultiple, help_text="A post a line."
    )
    validation = forms.ChoiceField(
        required=False,
        label="File to measure on",
        help_text="Posts that are not in the others, of other people if you can.",
    )
    corpus = forms.ChoiceField(
        required=False,
        label="Or a corpus of yours",
        help_text="A tenth of it is measured on. What a base model has read is everybody’s here: choose no posts that "
        "are only yours to know.",
    )
    start = forms.ChoiceField(required=False, label="Start from")
    network = forms.ChoiceField(
        choices=[(name, name) for name in sorted(NETWORKS)],
        initial="glr",
        label="Kind of network",
        help_text="Where it starts from nothing.",
    )
    minutes = forms.FloatField(required=False, min_value=0.1, help_text="Of training alone.")
    megabytes = forms.FloatField(
        required=False,
        min_value=0.01,
        label="Or megabytes",
        help_text="To read in all: the same model on a busy machine.",
    )
    # Blank fields use the defaults for the kind of network.
    batch_size = forms.IntegerField(required=False, min_value=1, max_value=4096)
    sequence_length = forms.IntegerField(required=False, min_value=1, max_value=1024)
    learning_rate = forms.FloatField(required=False, min_value=0.000001, max_value=1)
    final_learning_rate = forms.FloatField(
        required=False, min_value=0, max_value=1, help_text="What is left of it at the end, as a share."
    )
    warmup_steps = forms.IntegerField(required=False, min_value=0, max_value=1_000_000)
    optimizer = forms.ChoiceField(required=False, choices=[("", "the recipe’s"), ("muon", "muon"), ("adam", "adam")])
    validation_minutes = forms.FloatField(required=False, min_value=0.01, label="Minutes between validations")
    new_names = forms.FloatField(
        required=False,
        min_value=0,
        max_value=1,
        label="Share of @names drawn anew",
        help_text="So that it learns how names are made, not whom a few people name.",
    )
    new_tags = forms.FloatField(required=False, min_value=0, max_value=1, label="Share of #hashtags drawn anew")
    seed = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = [(name, name) for name in bases.post_files()]
        self._corpora = {str(corpus.pk): corpus for corpus in bases.corpora_of(user)}
        self._starts = {str(model.pk): model for model in bases.versions().filter(retired_at=None)}
        self._choose("learn_from", found)
        self._choose("validation", [("", "–"), *found])
        self._choose(
            "corpus",
            [("", "–"), *((key, f"{one} ({counted(one.posts_kept, 'post')})") for key, one in self._corpora.items())],
        )
        self._choose("start", [("", "nothing"), *((key, str(one)) for key, one in self._starts.items())])
        self.has_files = bool(found)
        for name in bases.SETTINGS:
            if name not in ("optimizer", "validation_minutes"):
                self.fields[name].widget.attrs["placeholder"] = str(getattr(DEFAULT, name))

    def _choose(self, name: str, choices: Sequence[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def asked(self) -> dict[str, Any]:
        """Return the keyword arguments for `bases.train`."""
        data = self.cleaned_data
        corpus: Corpus | None = self._corpora.get(data["corpus"])
        start: TrainedModel | None = self._starts.get(data["start"])
        return {
            "name": data["name"],
            "budget": bases.Budget(data["minutes"], data["megabytes"]),
            "files": data["learn_from"],
            "validation": data["validation"],
            "corpus": corpus,
            "start": start,
            "network": data["network"],
            "values": {name: data[name] for name in bases.SETTINGS if data[name] not in (None, "")},
        }

    def parts(self) -> list[tuple[str, list[BoundField]]]:
        """Return the fields in the groups of the page."""
        first = ("name", "start", "network", "learn_from", "validation", "corpus", "minutes", "megabytes")
        return [("", [self[name] for name in first]), ("How it learns", [self[name] for name in bases.SETTINGS])]


class EvaluateBasesForm(forms.Form):
    models = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple)
    file = forms.ChoiceField(required=False, label="File on the server", help_text="A post a line.")
    upload = forms.FileField(required=False, label="Or a file of yours", help_text=", ".join(bases.POST_FILES))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._models = {str(model.pk): model for model in bases.versions()}
        for name, choices in (
            ("models", [(key, str(model)) for key, model in self._models.items()]),
            ("file", [("", "–"), *((name, name) for name in bases.post_files())]),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices

    def chosen(self) -> list[TrainedModel]:
        return [self._models[key] for key in self.cleaned_data["models"]]
