from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from models_app.bots.rows import Tier
from publishing import wall_times
from publishing.models import Queue
from publishing.networks.base import Network
from publishing.queue.services import LONGEST_TEXT, MAX_A_DAY
from publishing.rules import labels


class SettingsForm(forms.ModelForm):  # type: ignore[type-arg]
    """When the posts of a bot go out, and their label."""

    zone = forms.ChoiceField(label=gettext_lazy("Time zone"))

    class Meta:
        model = Queue
        fields = [
            "zone",
            "per_day",
            "opens",
            "closes",
            "daily_maximum",
            "quiet_from",
            "quiet_until",
            "proposals_a_day",
            "topics",
            "with_links",
            "label",
            "is_unlabelled",
        ]
        labels = {
            "per_day": gettext_lazy("Posts a day"),
            "opens": gettext_lazy("From hour"),
            "closes": gettext_lazy("Until hour"),
            "daily_maximum": gettext_lazy("At most a day, with posts at times of their own"),
            "quiet_from": gettext_lazy("Quiet from hour"),
            "quiet_until": gettext_lazy("Quiet until hour"),
            "proposals_a_day": gettext_lazy("Proposals a day that the bot makes by itself"),
            "with_links": gettext_lazy("Proposals may have links"),
            "label": gettext_lazy("Label"),
            "is_unlabelled": gettext_lazy("Post without a label"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = self.fields["zone"]
        assert isinstance(zone, forms.ChoiceField)
        zone.choices = [(name, name.replace("_", " ")) for name in wall_times.zones()]
        self.fields["label"].widget.attrs["placeholder"] = labels.usual_label(self.instance.model)
        topics = self.fields["topics"]
        topics.widget = forms.Textarea(attrs={"rows": 3})
        if self.instance.model.tier == Tier.FLUENT:
            topics.label = _("Topics of these, one a line")
        else:
            topics.label = _("Beginnings of these, one a line")
        topics.help_text = _("One is drawn each day. Without any, the bot chooses.")
        if not settings.UNLABELLED_POSTS:
            del self.fields["is_unlabelled"]
        for name, (least, most) in {
            "proposals_a_day": (0, MAX_A_DAY),
            "per_day": (1, 24),
            "daily_maximum": (1, 48),
            "opens": (0, 23),
            "closes": (1, 24),
            "quiet_from": (0, 24),
            "quiet_until": (0, 24),
        }.items():
            self.fields[name].widget.attrs |= {"min": least, "max": most}


class MoveForm(forms.Form):
    """A time of the wall, or none."""

    at = forms.CharField(max_length=32, required=False)

    def clean_at(self) -> datetime | None:
        said = self.cleaned_data["at"]
        if not said:
            return None
        try:
            found = datetime.fromisoformat(said)
        except ValueError:
            raise forms.ValidationError(_("This isn’t a time. Choose a day and a time.")) from None
        return found.replace(tzinfo=None, second=0, microsecond=0)


class ApproveForm(MoveForm):
    """What its owner decides about a post: the text, and the time of the wall if they choose one."""

    text = forms.CharField(max_length=LONGEST_TEXT, required=False, strip=False)
    sure = forms.CharField(max_length=3, required=False)


class ConnectForm(forms.Form):
    """What a network needs to let Bot Factory in. What was secret isn't sent back to the browser."""

    def __init__(self, *args: Any, network: Network, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        entries = network.entries if network.consent is None else network.consent.entries
        for entry in entries:
            if entry.is_promise:
                self.fields[entry.name] = forms.BooleanField(label=_(entry.label), help_text=_(entry.hint))
                continue
            attributes = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
            if entry.example:
                attributes["placeholder"] = entry.example
            widget: forms.Widget = forms.PasswordInput() if entry.is_secret else forms.TextInput()
            widget.attrs |= attributes
            self.fields[entry.name] = forms.CharField(
                max_length=500,
                label=_(entry.label),
                help_text=_(entry.hint) if entry.hint else "",
                initial=entry.default,
                widget=widget,
            )
        if network.mark_is and not any(entry.is_promise for entry in entries):
            self.fields["marks"] = forms.BooleanField(
                required=False,
                initial=True,
                label=_("Mark the account as a bot on the network, if it isn’t marked"),
            )

    @property
    def entered(self) -> dict[str, str]:
        """Return what was entered for the network."""
        values = {name: value for name, value in self.cleaned_data.items() if name != "marks"}
        return {name: "yes" if value is True else value for name, value in values.items()}
