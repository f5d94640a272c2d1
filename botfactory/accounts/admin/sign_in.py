"""How people sign in: addresses, second factors, sessions and tokens."""

from __future__ import annotations

from typing import Any

from allauth.account import admin as account_admin
from allauth.account.models import EmailAddress
from allauth.mfa import admin as mfa_admin  # noqa: F401
from allauth.mfa.models import Authenticator
from allauth.usersessions import admin as sessions_admin  # noqa: F401
from allauth.usersessions.models import UserSession
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from botfactory.accounts import email_addresses, tokens, two_factor
from botfactory.accounts.admin.reach import ONLY_FOR_ADMINISTRATORS, AboutPeople, person_of
from botfactory.accounts.forms import AddressForm
from botfactory.accounts.models import ApiToken
from botfactory.web.desk import ReadOnlyAdmin

# Importing allauth's modules registers their classes. Ours hide the session keys and the secrets of second factors, and
# keep the addresses of a person in line.
admin.site.unregister([Authenticator, UserSession, EmailAddress])


@admin.register(EmailAddress)
class EmailAddressAdmin(AboutPeople[EmailAddress], account_admin.EmailAddressAdmin):  # type: ignore[misc]
    form = AddressForm
    list_select_related = ["user"]
    actions = ["confirm"]

    def get_fields(self, request: HttpRequest, obj: EmailAddress | None = None) -> Any:
        return ["user", "email", "verified"] if obj is None else ["user", "email", "verified", "primary"]

    def get_readonly_fields(self, request: HttpRequest, obj: EmailAddress | None = None) -> list[str]:
        return [] if obj is None else ["user"]

    @admin.action(description=gettext_lazy("Confirm the selected addresses"), permissions=["change"])
    def confirm(self, request: HttpRequest, addresses: QuerySet[EmailAddress]) -> None:
        for address in addresses:
            if not self.has_change_permission(request, address):
                self.message_user(request, ONLY_FOR_ADMINISTRATORS % {"person": address.user}, messages.WARNING)
            elif address.set_verified():
                told = _("Confirmed %(address)s.") % {"address": address}
                self.message_user(request, told, messages.SUCCESS)
            else:
                told = _("%(address)s is confirmed for another account.") % {"address": address}
                self.message_user(request, told, messages.WARNING)

    def save_model(self, request: HttpRequest, obj: EmailAddress, form: Any, change: bool) -> None:
        email_addresses.save(obj, by=person_of(request))

    def delete_model(self, request: HttpRequest, obj: EmailAddress) -> None:
        email_addresses.delete(obj, by=person_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[EmailAddress]) -> None:
        for address in queryset:
            email_addresses.delete(address, by=person_of(request))


@admin.register(Authenticator)
class AuthenticatorAdmin(AboutPeople[Authenticator], ReadOnlyAdmin[Authenticator]):
    """Second factors. Deleting one turns two-factor off, for somebody who lost their device."""

    heading = gettext_lazy("two-factor sign-in")
    list_display = ["user", "type", "created_at", "last_used_at"]
    list_filter = ["type", "created_at", "last_used_at"]
    search_fields = ["user__username", "user__email"]
    list_select_related = ["user"]
    fields = ["user", "type", "created_at", "last_used_at"]

    def delete_model(self, request: HttpRequest, obj: Authenticator) -> None:
        two_factor.switch_off(obj.user, by=person_of(request))


@admin.register(UserSession)
class UserSessionAdmin(AboutPeople[UserSession], ReadOnlyAdmin[UserSession]):
    """Sessions of people. Deleting a row signs that browser out."""

    heading = gettext_lazy("sessions")
    list_display = ["user", "created_at", "last_seen_at", "ip", "user_agent"]
    list_filter = ["created_at", "last_seen_at"]
    search_fields = ["user__username", "ip"]
    list_select_related = ["user"]
    fields = ["user", "created_at", "last_seen_at", "ip", "user_agent"]

    def delete_model(self, request: HttpRequest, obj: UserSession) -> None:
        obj.end()


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin[ApiToken]):
    """Everybody's tokens and their last use. Administrators can revoke them but can't create them for others."""

    list_display = ["name", "owner", "prefix", "scopes", "created_at", "last_used_at", "expires_at", "revoked_at"]
    list_filter = ["created_at", "last_used_at", "expires_at", "revoked_at"]
    search_fields = ["name", "prefix", "owner__username", "owner__email"]
    list_select_related = ["owner"]
    date_hierarchy = "created_at"
    fields = ["owner", "name", "prefix", "scopes", "created_at", "last_used_at", "expires_at", "revoked_at"]
    actions = ["revoke"]

    @admin.action(description=gettext_lazy("Revoke the selected tokens"), permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiToken]) -> None:
        for token in chosen:
            tokens.revoke_token(token, by=person_of(request))
            told = _("Revoked “%(token)s” of %(person)s.") % {"token": token, "person": token.owner}
            self.message_user(request, told, messages.SUCCESS)

    def delete_model(self, request: HttpRequest, obj: ApiToken) -> None:
        # For the security log.
        tokens.revoke_token(obj, by=person_of(request))
        obj.delete()
