from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from allauth.account.forms import ChangePasswordForm, LoginForm, ResetPasswordKeyForm, UserTokenForm
from allauth.account.models import EmailAddress
from django import forms
from django.contrib.auth.forms import UserChangeForm
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from botfactory.accounts import email_addresses, passwords, services
from botfactory.accounts.models import Invitation, User
from botfactory.accounts.signup import MAX_USES
from botfactory.accounts.tokens import DEFAULT_SCOPES, LONGEST_NAME
from botfactory.words.translation import grouped, translated


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


class LinkForm(UserTokenForm):  # type: ignore[misc]
    """allauth's check of a reset link. It also accepts those of the administrator."""

    token_generator = passwords.LinkKeys()


class PasswordFromLinkForm(ResetPasswordKeyForm):  # type: ignore[misc]
    """The same for somebody who opened a reset link."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name_new_password(self)

    def save(self) -> None:
        handed_over = passwords.is_handed_over(self.user, self.temp_key)
        super().save()
        if handed_over:
            email_addresses.confirm_main(self.user)


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

    training_succeeded = forms.BooleanField(required=False, label=gettext_lazy("Email me when a training is done"))
    training_failed = forms.BooleanField(required=False, label=gettext_lazy("Email me when a training fails"))


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


class PersonForm(UserChangeForm[User]):
    """Refuse to take the last administrator's rights away. A password is reset by a link (an action of the list)."""

    password = None  # type: ignore[assignment]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for name in ("is_active", "is_staff", "is_superuser"):
            if name in self.changed_data and not data.get(name):
                try:
                    services.require_other_administrator(self.instance)
                except services.LastAdministrator as error:
                    self.add_error(name, translated(error))
        return data


class AddressForm(forms.ModelForm[EmailAddress]):
    """Check an address that an administrator enters. Nobody else may have confirmed it."""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        person = data.get("user") or getattr(self.instance, "user", None)
        same = EmailAddress.objects.filter(email=str(data.get("email", "")).lower()).exclude(pk=self.instance.pk)
        if person is not None and same.filter(user=person).exists():
            self.add_error("email", _("This person already has this address."))
        elif data.get("verified") and same.filter(verified=True).exists():
            self.add_error("email", _("Another account uses this email address."))
        return data
