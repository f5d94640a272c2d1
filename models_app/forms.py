from __future__ import annotations

from typing import Any

from django import forms

from models_app import services
from models_app.ml.config import SamplingConfig
from models_app.models import TrainedModel


class TrainForm(forms.Form):
    """What a bot is to be made of: the model to start from, the epochs, a name."""

    start = forms.ChoiceField(label="Start from")
    epochs = forms.IntegerField(
        min_value=services.FEWEST_EPOCHS, max_value=services.MOST_EPOCHS, initial=services.DEFAULT_EPOCHS
    )
    name = forms.CharField(max_length=80, required=False, label="Name of the bot")

    def __init__(self, *args: Any, bases: list[TrainedModel], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bases = {str(model.pk): model for model in bases}
        start = self.fields["start"]
        assert isinstance(start, forms.ChoiceField)
        start.choices = [(key, "The base model" if model.is_base else model.name) for key, model in self._bases.items()]

    def chosen_start(self) -> TrainedModel:
        return self._bases[self.cleaned_data["start"]]


class GenerateForm(forms.Form):
    """How posts are written; blanks take what SamplingConfig takes."""

    count = forms.IntegerField(min_value=1, max_value=100, initial=10, label="How many")
    temperature = forms.FloatField(min_value=0, max_value=2, initial=0.8)
    top_k = forms.IntegerField(min_value=0, max_value=256, initial=0, required=False, label="Top k (0: all)")
    prompt = forms.CharField(max_length=280, required=False, strip=False, label="Begins with")
    seed = forms.IntegerField(min_value=0, max_value=2**32 - 1, required=False, label="Seed (blank: by chance)")

    def sampling(self) -> SamplingConfig:
        data = self.cleaned_data
        return SamplingConfig(
            count=data["count"],
            temperature=data["temperature"],
            top_k=data["top_k"] or 0,
            prompt=data["prompt"],
            seed=data["seed"],
        )


class RenameForm(forms.Form):
    name = forms.CharField(max_length=80)
