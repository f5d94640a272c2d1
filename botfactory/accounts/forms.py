from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from allauth.account.forms import ChangePasswordForm, LoginForm, ResetPasswordKeyForm
from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from botfactory.accounts.models import Invitation, User
from botfactory.accounts.signup import MAX_USES
from botfactory.accounts.tokens import DEFAULT_SCOPES, LONGEST_NAME
from botfactory.translation import grouped


class SignInForm(LoginForm):  # type: ignore[misc]
    """allauth's form, with a label that says what to enter."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("Username or email address")
        self.fields["login"].widget.attrs.pop("placeholder", None)


class NewPasswordForm(ChangePasswordForm):  # type: ignore[misc]
    """allauth's form for a new password, with labels in sentence case."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["oldpassword"].label = _("Current password")
        _name_new_password(self)


class PasswordFromLinkForm(ResetPasswordKeyForm):  # type: ignore[misc]
    """The same for somebody who opened a reset link."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name_new_password(self)


def _name_new_password(form: forms.Form) -> None:
    form.fields["password1"].label = _("New password")
    form.fields["password2"].label = _("New password (again)")


class DeleteAccountForm(forms.Form):
    """Ask for the password, so that nobody can delete an account in a browser left open."""

    password = forms.CharField(
        label=gettext_lazy("Your password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class NotificationsForm(forms.Form):
    """Which mails the person wants."""

    training_succeeded = forms.BooleanField(required=False, label=gettext_lazy("Mail me when a training is done"))
    training_failed = forms.BooleanField(required=False, label=gettext_lazy("Mail me when a training fails"))


class TokenForm(forms.Form):
    """The name, permissions and lifetime of a new token."""

    MAY = [
        ("read write", gettext_lazy("Read and change your data")),
        ("read", gettext_lazy("Only read your data")),
    ]
    MAY_OF_ADMINISTRATORS = [("read write admin", gettext_lazy("Everything, including administration"))]

    LASTS = [
        ("", gettext_lazy("Never")),
        ("7", gettext_lazy("In 7 days")),
        ("30", gettext_lazy("In 30 days")),
        ("90", gettext_lazy("In 90 days")),
        ("365", gettext_lazy("In a year")),
    ]

    name = forms.CharField(
        max_length=LONGEST_NAME,
        strip=True,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("What will use it, for example “Script on my laptop”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    may = forms.ChoiceField(choices=MAY, required=False, label=gettext_lazy("Permissions"))
    days = forms.ChoiceField(choices=LASTS, required=False, label=gettext_lazy("Expires"))

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
    """Check how many people an invitation admits, and until when."""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        uses, expires_at = data.get("uses", 1), data.get("expires_at")
        if not 1 <= (uses or 0) <= MAX_USES:
            self.add_error("uses", _("Choose between 1 and %(most)s people.") % {"most": grouped(MAX_USES)})
        if expires_at and expires_at <= timezone.now() and "expires_at" in self.changed_data:
            self.add_error("expires_at", _("Choose a time in the future, or leave it empty."))
        return data
