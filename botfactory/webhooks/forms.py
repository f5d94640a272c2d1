from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django import forms

from botfactory.webhooks.event_types import EVENT_TYPES, EventType
from botfactory.webhooks.services import LONGEST_URL

#: Each happening in words, as the end of "It is told of".
IN_WORDS: Final[Mapping[EventType, str]] = {
    "job.succeeded": "jobs that are done",
    "job.failed": "jobs that fail",
    "job.cancelled": "jobs that are cancelled",
}


class WebhookForm(forms.Form):
    """Where a webhook is and what it is told of. Whether the address may be asked, services say."""

    url = forms.CharField(
        label="Address",
        max_length=LONGEST_URL,
        error_messages={"required": "Fill in where it is sent to, such as https://example.com/bots."},
        help_text="It is sent a POST: https or http, on the public internet.",
        widget=forms.URLInput(attrs={"autocomplete": "off", "placeholder": "https://example.com/bots"}),
    )
    events = forms.MultipleChoiceField(
        label="It is told of",
        choices=[(name, IN_WORDS[name]) for name in EVENT_TYPES],
        initial=list(EVENT_TYPES),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one."},
    )
