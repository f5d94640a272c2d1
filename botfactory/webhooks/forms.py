from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from botfactory.webhooks import event_types
from botfactory.webhooks.services import LONGEST_URL


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
        choices=lambda: list(event_types.in_words().items()),
        initial=lambda: list(event_types.names()),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one.")},
    )
