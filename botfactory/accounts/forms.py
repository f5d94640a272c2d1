from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from botfactory.accounts.models import Invitation, User
from botfactory.accounts.signup import MAX_USES
from botfactory.accounts.tokens import DEFAULT_SCOPES, LONGEST_NAME


class DeleteAccountForm(forms.Form):
    """One's password, so that nobody who finds a page open deletes what is somebody else's."""

    password = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class TokenForm(forms.Form):
    """What a token is for, what it may, and how long it is to work."""

    MAY = [
        ("read write", "read and change what is yours"),
        ("read", "only read what is yours"),
    ]
    MAY_OF_ADMINISTRATORS = [("read write admin", "also do what only administrators may")]

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
    may = forms.ChoiceField(choices=MAY, required=False, label="It may")
    days = forms.ChoiceField(choices=LASTS, required=False, label="It works")

    def __init__(self, *args: Any, owner: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if owner.is_superuser:
            field = self.fields["may"]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [*self.MAY, *self.MAY_OF_ADMINISTRATORS]

    def scopes(self) -> list[str]:
        chosen: str = self.cleaned_data["may"]
        return chosen.split() or list(DEFAULT_SCOPES)

    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=int(days)) if days else None


class InvitationForm(forms.ModelForm[Invitation]):
    """For how many people an invitation is, and how long."""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        uses, expires_at = data.get("uses", 1), data.get("expires_at")
        if not 1 <= (uses or 0) <= MAX_USES:
            self.add_error("uses", f"An invitation is for 1 to {MAX_USES:,} people.")
        if expires_at and expires_at <= timezone.now() and "expires_at" in self.changed_data:
            self.add_error("expires_at", "Choose a time in the future, or none.")
        return data
