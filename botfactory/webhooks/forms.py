from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django import forms

from botfactory.webhooks.event_types import EVENT_TYPES, EventType
from botfactory.webhooks.services import LONGEST_URL

#: The event of each message, as the end of "Sends a message when".
IN_WORDS: Final[Mapping[EventType, str]] = {
    "job.succeeded": "a job succeeds",
    "job.failed": "a job fails",
    "job.cancelled": "a job is cancelled",
}


class WebhookForm(forms.Form):
    """The address and the events of a webhook. services.py checks whether the address is allowed."""

    url = forms.CharField(
        label="Address",
        max_length=LONGEST_URL,
        error_messages={"required": "Enter the address to send messages to, such as https://example.com/bots."},
        help_text="Messages are sent here by POST. Use https or http, on the public internet.",
        widget=forms.URLInput(attrs={"autocomplete": "off", "placeholder": "https://example.com/bots"}),
    )
    events = forms.MultipleChoiceField(
        label="Send a message when",
        choices=[(name, IN_WORDS[name]) for name in EVENT_TYPES],
        initial=list(EVENT_TYPES),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one."},
    )
