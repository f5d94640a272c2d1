from __future__ import annotations

import re
from typing import Any, Final

from django import forms

from botfactory.listing import ListForm
from botfactory.words import counted
from models_app.ml.config import (
    DEFAULT_TEMPERATURE,
    LONGEST_BANNED,
    MAX_BANNED,
    MAX_EPOCHS,
    MAX_TOP_K,
    MIN_EPOCHS,
    SamplingConfig,
)
from models_app.models import TrainedModel


class TrainForm(forms.Form):
    """What a bot is to be made of: the model to start from, the epochs, a name."""

    start = forms.ChoiceField(label="Start from")
    epochs = forms.IntegerField(min_value=MIN_EPOCHS, max_value=MAX_EPOCHS)
    name = forms.CharField(max_length=80, required=False, label="Name of the bot")
    # Blank: what fits the size of the corpus.
    learning_rate = forms.FloatField(min_value=0.000001, max_value=1, required=False, label="Learning rate")
    batch_size = forms.IntegerField(min_value=1, max_value=4096, required=False, label="Batch size")
    sequence_length = forms.IntegerField(min_value=1, max_value=1024, required=False, label="Sequence length")
    dropout = forms.FloatField(min_value=0, max_value=0.9, required=False, label="Dropout")
    seed = forms.IntegerField(min_value=0, max_value=2**31 - 1, required=False, label="Seed")

    def __init__(self, *args: Any, bases: list[TrainedModel], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bases = {str(model.pk): model for model in bases}
        start = self.fields["start"]
        assert isinstance(start, forms.ChoiceField)
        start.choices = [(key, "The base model" if model.is_base else model.name) for key, model in self._bases.items()]

    def chosen_start(self) -> TrainedModel:
        return self._bases[self.cleaned_data["start"]]

    def settings(self) -> dict[str, Any]:
        """What the person has set for themselves."""
        names = ("learning_rate", "batch_size", "sequence_length", "dropout")
        return {name: self.cleaned_data[name] for name in names if self.cleaned_data[name] is not None}


class OnUnlessUnchecked(forms.CheckboxInput):
    """A box for what protects people: only a page that shows it and sends "false" beside it can leave it unchecked."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> bool:
        return bool(super().value_from_datadict(data, files, name)) if name in data else True


class BannedField(forms.CharField):
    """Words and phrases, parted by commas or lines."""

    widget = forms.Textarea

    def clean(self, value: Any) -> Any:
        entries = [" ".join(entry.split()) for entry in re.split(r"[,\n]", super().clean(value) or "")]
        banned = tuple(dict.fromkeys(entry for entry in entries if entry))
        if len(banned) > MAX_BANNED:
            raise forms.ValidationError(
                f"These are {counted(len(banned), 'word')}; at most {MAX_BANNED} can be banned."
            )
        if too_long := next((entry for entry in banned if len(entry) > LONGEST_BANNED), None):
            raise forms.ValidationError(f"“{too_long[:20]}…” has more than {LONGEST_BANNED} characters.")
        return banned


class GenerateForm(forms.Form):
    """How posts are written; blanks take what SamplingConfig takes."""

    count = forms.IntegerField(min_value=1, max_value=100, initial=10, label="How many")
    temperature = forms.FloatField(min_value=0, max_value=2, initial=DEFAULT_TEMPERATURE)
    top_k = forms.IntegerField(min_value=0, max_value=MAX_TOP_K, initial=0, required=False, label="Top k (0: all)")
    prompt = forms.CharField(max_length=280, required=False, strip=False, label="Begins with")
    top_p = forms.FloatField(min_value=0.01, max_value=1, initial=1, required=False, label="Top p")
    max_characters = forms.IntegerField(min_value=1, max_value=4000, initial=280, required=False, label="Longest post")
    banned = BannedField(required=False, label="Banned words")
    seed = forms.IntegerField(min_value=0, max_value=2**32 - 1, required=False, label="Seed (blank: by chance)")
    copy_guard = forms.BooleanField(
        widget=OnUnlessUnchecked, initial=True, required=False, label="Refuse copies of learned posts"
    )
    mask_mentions = forms.BooleanField(widget=OnUnlessUnchecked, initial=True, required=False, label="Hide @names")

    def sampling(self) -> SamplingConfig:
        data = self.cleaned_data
        return SamplingConfig(
            count=data["count"],
            temperature=data["temperature"],
            top_k=data["top_k"] or 0,
            top_p=data["top_p"] or 1.0,
            max_characters=data["max_characters"] or 280,
            prompt=data["prompt"],
            seed=data["seed"],
            banned=data["banned"],
            copy_guard=data["copy_guard"],
            mask_mentions=data["mask_mentions"],
        )


class RenameForm(forms.Form):
    name = forms.CharField(max_length=80)


class ShareForm(forms.Form):
    """Who can find a bot."""

    MEANINGS: Final = {
        TrainedModel.Visibility.PRIVATE: (
            "Private",
            "Only you. What was a link before opens nothing.",
            "only you find it now.",
        ),
        TrainedModel.Visibility.UNLISTED: (
            "By link",
            "Whoever has the link may look at it, and let it write when signed in. You can renew the link at any time.",
            "whoever has the link finds it now.",
        ),
        TrainedModel.Visibility.PUBLIC: (
            "In the gallery",
            "Everybody here finds it, and may let it write when signed in.",
            "it is in the gallery now.",
        ),
    }

    visibility = forms.ChoiceField()

    def __init__(self, *args: Any, model: TrainedModel, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["visibility"] = model.visibility
        field = self.fields["visibility"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(value, words[0]) for value, words in self.MEANINGS.items()]

    def choices(self) -> list[dict[str, str]]:
        """For each choice what it is called, and what it means."""
        return [{"value": str(value), "name": name, "hint": hint} for value, (name, hint, _) in self.MEANINGS.items()]

    def outcome(self) -> str:
        return self.MEANINGS[TrainedModel.Visibility(self.cleaned_data["visibility"])][2]


class GalleryForm(ListForm):
    """What is looked for in the gallery."""

    q = forms.CharField(max_length=200, required=False, label="Name or account")


class BotsForm(ListForm):
    """Which bots the list shows."""

    q = forms.CharField(max_length=200, required=False, label="Name")
    state = forms.ChoiceField(
        choices=[("", "All bots"), *TrainedModel.Visibility.choices], required=False, label="Who can find it"
    )
