"""The form with the settings for new posts."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from botfactory.words.translation import grouped
from models_app.ml.config import (
    LONGEST_BANNED,
    LONGEST_TOPIC,
    MAX_BANNED,
    MAX_TOP_K,
    SamplingConfig,
)


class OnUnlessUnchecked(forms.CheckboxInput):
    """A checkbox for a protection. It counts as checked unless the page sends the field unchecked ("false")."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> bool:
        return bool(super().value_from_datadict(data, files, name)) if name in data else True


class BannedField(forms.CharField):
    """Words and phrases, separated by commas or line breaks."""

    widget = forms.Textarea

    def clean(self, value: Any) -> Any:
        entries = [" ".join(entry.split()) for entry in re.split(r"[,\n]", super().clean(value) or "")]
        banned = tuple(dict.fromkeys(entry for entry in entries if entry))
        if len(banned) > MAX_BANNED:
            raise forms.ValidationError(
                ngettext(
                    "You can ban at most %(most)s words, but you entered %(count)s.",
                    "You can ban at most %(most)s words, but you entered %(count)s.",
                    len(banned),
                )
                % {"most": MAX_BANNED, "count": grouped(len(banned))}
            )
        if too_long := next((entry for entry in banned if len(entry) > LONGEST_BANNED), None):
            message = _("“%(beginning)s…” is too long. A banned word or phrase can have %(most)s characters.")
            raise forms.ValidationError(message % {"beginning": too_long[:20], "most": LONGEST_BANNED})
        return banned


class GenerateForm(forms.Form):
    """The settings for new posts; blank fields use the defaults of SamplingConfig."""

    count = forms.IntegerField(min_value=1, max_value=100, initial=10, label=gettext_lazy("How many"))
    temperature = forms.FloatField(min_value=0, max_value=2, required=False, label=gettext_lazy("Temperature"))
    top_k = forms.IntegerField(min_value=0, max_value=MAX_TOP_K, initial=0, required=False, label=gettext_lazy("Top k"))
    prompt = forms.CharField(max_length=280, required=False, strip=False, label=gettext_lazy("Begins with"))
    about = forms.CharField(max_length=LONGEST_TOPIC, required=False, label=gettext_lazy("About"))
    top_p = forms.FloatField(min_value=0.01, max_value=1, required=False, label=gettext_lazy("Top p"))
    max_characters = forms.IntegerField(
        min_value=1, max_value=4000, initial=280, required=False, label=gettext_lazy("Longest post")
    )
    banned = BannedField(required=False, label=gettext_lazy("Banned words"))
    seed = forms.IntegerField(min_value=0, max_value=2**32 - 1, required=False, label=gettext_lazy("Seed"))
    copy_guard = forms.BooleanField(
        widget=OnUnlessUnchecked, initial=True, required=False, label=gettext_lazy("Reject copies of learned posts")
    )
    mask_mentions = forms.BooleanField(
        widget=OnUnlessUnchecked, initial=True, required=False, label=gettext_lazy("Hide @names")
    )
    personal_guard = forms.BooleanField(
        widget=OnUnlessUnchecked, initial=True, required=False, label=gettext_lazy("Reject personal data")
    )

    def sampling(self) -> SamplingConfig:
        data = self.cleaned_data
        return SamplingConfig(
            count=data["count"],
            temperature=data["temperature"],
            top_k=data["top_k"] or 0,
            top_p=data["top_p"],
            max_characters=data["max_characters"] or 280,
            prompt=data["prompt"],
            about=data["about"],
            seed=data["seed"],
            banned=data["banned"],
            copy_guard=data["copy_guard"],
            mask_mentions=data["mask_mentions"],
            personal_guard=data["personal_guard"],
        )
