from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from botfactory.webhooks.event_types import EVENT_TYPES, EventType
from botfactory.webhooks.services import LONGEST_URL

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

    Words = str | StrPromise

#: The event of each message, as the end of "Sends a message when".
IN_WORDS: Final[Mapping[EventType, Words]] = {
    "job.succeeded": _("a job succeeds"),
    "job.failed": _("a job fails"),
    "job.cancelled": _("a job is cancelled"),
}


class WebhookForm(forms.Form):
    """The address and the events of a webhook. services.py checks whether the address is allowed."""

    url = forms.CharField(
        label=_("Address"),
        max_length=LONGEST_URL,
        error_messages={"required": _("Enter the address to send messages to, such as https://example.com/bots.")},
        help_text=_("Messages are sent here by POST. Use https or http, on the public internet."),
        widget=forms.URLInput(attrs={"autocomplete": "off", "placeholder": "https://example.com/bots"}),
    )
    events = forms.MultipleChoiceField(
        label=_("Send a message when"),
        choices=[(name, IN_WORDS[name]) for name in EVENT_TYPES],
        initial=list(EVENT_TYPES),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one.")},
    )
