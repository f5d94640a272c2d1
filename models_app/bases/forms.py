from __future__ import annotations

import zipfile
from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from botfactory.accounts.models import User
from botfactory.files.uploaded import name_of
from botfactory.words.translation import grouped
from models_app.bases import adding
from models_app.bases import services as bases
from models_app.bots import base_files as base_archive
from models_app.bots.rows import TrainedModel
from models_app.ml.config import MAX_VOCABULARY, MIN_VOCABULARY, NETWORKS, PretrainConfig
from tweets.models import Corpus

DEFAULT = PretrainConfig()
#: Of files that can be a base model. A ZIP can have another.
_ENDINGS: Final = (adding.SUFFIX, ".zip")


class UploadForm(forms.Form):
    """A base model to upload: one trained by Bot Factory, or a GGUF file of a pretrained model."""

    archive = forms.FileField(
        label=gettext_lazy("ZIP or GGUF file"),
        help_text=gettext_lazy(
            "A ZIP with config.json and weights.safetensors, or a .gguf file of a Llama, Qwen3 or dense Granite."
        ),
    )
    name = forms.CharField(
        max_length=72,
        required=False,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("Leave blank to use the file name."),
    )

    @property
    def is_pretrained(self) -> bool:
        """Whether a worker reads the file, which isn't a base model of our own."""
        return name_of(self.cleaned_data["archive"]).lower().endswith(adding.SUFFIX)

    def clean_archive(self) -> Any:
        archive = self.cleaned_data["archive"]
        name = name_of(archive)
        if not name.lower().endswith(_ENDINGS) and not zipfile.is_zipfile(archive.file):
            message = _("%(name)s isn’t a base model. Upload a ZIP or a .gguf file.")
            raise forms.ValidationError(message % {"name": name})
        if not name.lower().endswith(adding.SUFFIX) and archive.size > base_archive.LARGEST_MB * 1_000_000:
            message = _("The file is too large. The limit is %(most)s MB.")
            raise forms.ValidationError(message % {"most": base_archive.LARGEST_MB})
        return archive


class TrainBaseForm(forms.Form):
    """The data, start, length and settings of a base training; blank fields use the defaults."""

    name = forms.CharField(max_length=72, initial="base", label=gettext_lazy("Name"))
    learn_from = forms.MultipleChoiceField(
        required=False,
        label=gettext_lazy("Training files"),
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("One post per line."),
    )
    validation = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Validation file"),
        help_text=gettext_lazy("Choose posts that aren’t in the training files, if possible by other people."),
    )
    corpus = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Or a collection of yours"),
        help_text=gettext_lazy(
            "A tenth of it is used for validation. Everybody here can use the base model, so don’t choose private "
            "posts."
        ),
    )
    start = forms.ChoiceField(required=False, label=gettext_lazy("Start from"))
    network = forms.ChoiceField(
        choices=[(name, name) for name in sorted(NETWORKS)],
        initial="glr",
        label=gettext_lazy("Kind of network"),
        help_text=gettext_lazy("Only for a training that starts from scratch."),
    )
    vocabulary = forms.IntegerField(
        required=False,
        min_value=MIN_VOCABULARY,
        max_value=MAX_VOCABULARY,
        label=gettext_lazy("Vocabulary"),
        help_text=gettext_lazy(
            "How many tokens (frequent words and parts of words) a glr network learns to read, such as 4096. Leave "
            "blank to read bytes."
        ),
    )
    minutes = forms.FloatField(
        required=False, min_value=0.1, label=gettext_lazy("Minutes"), help_text=gettext_lazy("Training time only.")
    )
    megabytes = forms.FloatField(
        required=False,
        min_value=0.01,
        label=gettext_lazy("Or megabytes"),
        help_text=gettext_lazy("The total to read. The result doesn’t depend on how busy the machine is."),
    )
    # Blank fields use the defaults for the kind of network.
    batch_size = forms.IntegerField(required=False, min_value=1, max_value=4096, label=gettext_lazy("Batch size"))
    sequence_length = forms.IntegerField(
        required=False, min_value=1, max_value=1024, label=gettext_lazy("Sequence length")
    )
    learning_rate = forms.FloatField(
        required=False, min_value=0.000001, max_value=1, label=gettext_lazy("Learning rate")
    )
    final_learning_rate = forms.FloatField(
        required=False,
        min_value=0,
        max_value=1,
        label=gettext_lazy("Final learning rate"),
        help_text=gettext_lazy("As a fraction of the learning rate."),
    )
    warmup_steps = forms.IntegerField(
        required=False, min_value=0, max_value=1_000_000, label=gettext_lazy("Warm-up steps")
    )
    optimizer = forms.ChoiceField(
        required=False,
        choices=[("", gettext_lazy("Recommended")), ("muon", "Muon"), ("adam", "Adam")],
        label=gettext_lazy("Optimizer"),
    )
    validation_minutes = forms.FloatField(
        required=False, min_value=0.01, label=gettext_lazy("Minutes between validations")
    )
    new_names = forms.FloatField(
        required=False,
        min_value=0,
        max_value=1,
        label=gettext_lazy("Share of @names to replace"),
        help_text=gettext_lazy("Random names teach the model what names look like, instead of particular people."),
    )
    new_tags = forms.FloatField(
        required=False, min_value=0, max_value=1, label=gettext_lazy("Share of #hashtags to replace")
    )
    seed = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1, label=gettext_lazy("Seed"))

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = [(name, name) for name in bases.post_files()]
        self._corpora = {str(corpus.pk): corpus for corpus in bases.corpora_of(user)}
        self._starts = {str(model.pk): model for model in bases.all_versions().filter(retired_at=None)}
        self._choose("learn_from", found)
        self._choose("validation", [("", "–"), *found])
        self._choose(
            "corpus",
            [("", "–"), *((key, _corpus(one)) for key, one in self._corpora.items())],
        )
        self._choose("start", [("", _("Scratch")), *((key, str(one)) for key, one in self._starts.items())])
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
            "vocabulary": data.get("vocabulary") or 0,
            "values": {name: data[name] for name in bases.SETTINGS if data.get(name) not in (None, "")},
        }

    def parts(self) -> list[tuple[str, list[BoundField]]]:
        """Return the fields in the groups of the page."""
        first = ("name", "start", "network", "vocabulary", "learn_from", "validation", "corpus", "minutes", "megabytes")
        return [("", [self[name] for name in first]), (_("Training settings"), [self[name] for name in bases.SETTINGS])]


class EvaluateBasesForm(forms.Form):
    """The models to compare, and the posts to compare them on."""

    models = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, label=gettext_lazy("Models"))
    file = forms.ChoiceField(
        required=False, label=gettext_lazy("File on the server"), help_text=gettext_lazy("One post per line.")
    )
    upload = forms.FileField(
        required=False, label=gettext_lazy("Or a file of yours"), help_text=", ".join(bases.POST_FILES)
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._models = {str(model.pk): model for model in bases.all_versions()}
        for name, choices in (
            ("models", [(key, str(model)) for key, model in self._models.items()]),
            ("file", [("", "–"), *((name, name) for name in bases.post_files())]),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices

    def chosen(self) -> list[TrainedModel]:
        return [self._models[key] for key in self.cleaned_data["models"]]


def _corpus(corpus: Corpus) -> str:
    count = corpus.posts_kept
    text = ngettext("%(name)s (%(count)s post)", "%(name)s (%(count)s posts)", count)
    return text % {"name": corpus, "count": grouped(count)}
