from __future__ import annotations

import re
from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from botfactory.listing import ListForm
from botfactory.translation import grouped
from models_app import bot_list
from models_app.ml.config import (
    LONGEST_BANNED,
    LONGEST_TOPIC,
    MAX_BANNED,
    MAX_TOP_K,
    SamplingConfig,
)
from models_app.models import Tier, TrainedModel
from models_app.sharing import tags


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


class RenameForm(forms.Form):
    """A new name; `registry.rename` says what is wrong with it."""

    name = forms.CharField(required=False, label=gettext_lazy("Name"))


class ShareForm(forms.Form):
    """Choose who can find a bot."""

    MEANINGS: Final = {
        TrainedModel.Visibility.PRIVATE: (
            gettext_lazy("Private"),
            gettext_lazy("Only you. Links you shared stop working."),
            gettext_lazy("%(name)s is private. Only you can find it."),
        ),
        TrainedModel.Visibility.UNLISTED: (
            gettext_lazy("By link"),
            gettext_lazy(
                "Anyone who has the link can see the bot, and write with it after signing in. You can renew the link "
                "at any time."
            ),
            gettext_lazy("%(name)s is shared by link. Anyone who has the link can find it."),
        ),
        TrainedModel.Visibility.PUBLIC: (
            gettext_lazy("In the gallery"),
            gettext_lazy("Everybody here can find the bot, and write with it after signing in."),
            gettext_lazy("%(name)s is in the gallery."),
        ),
    }

    visibility = forms.ChoiceField(
        label=gettext_lazy("Sharing"),
        error_messages=dict.fromkeys(
            ("required", "invalid_choice"),
            gettext_lazy("Choose who can find the bot: only you, anyone with a link, or everybody."),
        ),
    )
    tags = forms.CharField(max_length=400, required=False, label=gettext_lazy("Tags"))
    in_browser = forms.BooleanField(required=False)

    def __init__(self, *args: Any, model: TrainedModel, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["visibility"] = model.visibility
        self.initial["tags"] = ", ".join(tags.of(model))
        self.initial["in_browser"] = model.is_browser_open
        field = self.fields["visibility"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(value, name) for value, (name, *_rest) in self.MEANINGS.items()]

    def choices(self) -> list[dict[str, str]]:
        """Return each choice with its name and its meaning."""
        return [
            {"value": str(value), "name": str(name), "hint": str(hint)}
            for value, (name, hint, _outcome) in self.MEANINGS.items()
        ]

    @property
    def takes_along(self) -> bool:
        """Return whether others may take the bot along: never while it is private."""
        is_private = self.cleaned_data["visibility"] == TrainedModel.Visibility.PRIVATE
        return bool(self.cleaned_data["in_browser"]) and not is_private

    def outcome(self, name: str) -> str:
        """Return a sentence that says who can find the bot of this name now."""
        return self.MEANINGS[TrainedModel.Visibility(self.cleaned_data["visibility"])][2] % {"name": name}


class GalleryForm(ListForm):
    """The search of the gallery, and its order."""

    q = forms.CharField(max_length=200, required=False, label=gettext_lazy("Name, account or tag"))
    tag = forms.CharField(max_length=200, required=False, widget=forms.HiddenInput)
    sort = forms.ChoiceField(
        choices=[
            ("", gettext_lazy("Newest first")),
            ("kept", gettext_lazy("Most kept by others")),
            ("name", gettext_lazy("By name")),
        ],
        required=False,
        label=gettext_lazy("Order"),
    )


class BotsForm(ListForm):
    """Which bots the list shows, and in which order."""

    q = forms.CharField(max_length=200, required=False, label=gettext_lazy("Name"))
    tier = forms.ChoiceField(
        choices=[("", gettext_lazy("All kinds")), *Tier.choices], required=False, label=gettext_lazy("Kind")
    )
    visibility = forms.ChoiceField(
        choices=[("", gettext_lazy("Shared or not")), *TrainedModel.Visibility.choices],
        required=False,
        label=gettext_lazy("Who can find it"),
    )
    state = forms.ChoiceField(
        choices=[("", gettext_lazy("All states")), *bot_list.STATES.items()],
        required=False,
        label=gettext_lazy("State"),
    )
    sort = forms.ChoiceField(choices=[*bot_list.SORTS.items()], required=False, label=gettext_lazy("Order"))
