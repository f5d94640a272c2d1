from __future__ import annotations

from datetime import datetime, timedelta

from django import forms
from django.utils import timezone

from botfactory.accounts.tokens import LONGEST_NAME


class DeleteAccountForm(forms.Form):
    """One's password, so that nobody who finds a page open deletes what is somebody else's."""

    password = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class TokenForm(forms.Form):
    """What a token is for, and how long it is to work."""

    LASTS = [
        ("", "until it is revoked"),
        ("7", "for 7 days"),
        ("30", "for 30 days"),
        ("90", "for 90 days"),
        ("365", "for a year"),
    ]

    name = forms.CharField(
        max_length=LONGEST_NAME,
        strip=True,
        help_text="What will use it, such as: the script on my laptop.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    days = forms.ChoiceField(choices=LASTS, required=False, label="It works")

    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=int(days)) if days else None
