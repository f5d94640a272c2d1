from __future__ import annotations

from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy

from botfactory.web.listing import ListForm
from models_app.bots.rows import Tier, TrainedModel
from models_app.pages import bot_list
from models_app.sharing import tags


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
