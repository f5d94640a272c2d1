from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar, cast

from allauth.account import admin as account_admin
from allauth.account.models import EmailAddress
from allauth.mfa import admin as mfa_admin  # noqa: F401
from allauth.mfa.models import Authenticator
from allauth.usersessions import admin as sessions_admin  # noqa: F401
from allauth.usersessions.models import UserSession
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.options import InlineModelAdmin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, DateTimeField, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from botfactory.accounts import (
    email_addresses,
    limits,
    passwords,
    rules,
    security_log,
    services,
    signup,
    tokens,
    two_factor,
)
from botfactory.accounts.forms import AddressForm, InvitationForm, PersonForm
from botfactory.accounts.models import ApiToken, HouseRules, Invitation, PersonalLimits, SecurityEntry, User
from botfactory.accounts.security_log import Action
from botfactory.desk import ReadOnlyAdmin
from botfactory.translation import grouped, translated

#: Fields of a person that decide what they can do. Only administrators can change them.
ROLES = frozenset({"is_staff", "is_superuser", "groups", "user_permissions"})
ONLY_FOR_ADMINISTRATORS: Final = gettext_lazy("%(person)s is an administrator. Only administrators can do that.")

#: A date and a time, as browsers let people choose them.
ONE_FIELD = forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"})


class LimitsInline(admin.StackedInline[PersonalLimits, User]):
    """The limits of a person. Empty fields mean the default, and `now` shows what counts against each."""

    model = PersonalLimits
    can_delete = False
    readonly_fields = ["now", "usual"]
    fields = [
        "now",
        "usual",
        "unlimited",
        "queued_jobs",
        "running_jobs",
        "training_minutes_a_day",
        "corpora",
        "trained_models",
        "stored_mb",
        "x_posts_a_month",
        "requests_a_minute",
        "webhooks",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PersonalLimits]:
        return super().get_queryset(request).select_related("user")

    @admin.display(description=gettext_lazy("in use"))
    def now(self, row: PersonalLimits) -> str:
        return _in_words(limits.usage_of(row.user).as_dict()) if row.user_id else ""

    @admin.display(description=gettext_lazy("defaults"))
    def usual(self, row: PersonalLimits) -> str:
        return _in_words(limits.defaults().as_dict())


def _in_words(numbers: Mapping[str, int | None]) -> str:
    """Return "Waiting jobs: 3, Running jobs: no limit"."""
    return ", ".join(
        f"{limits.NAMES[name]}: {_('no limit') if number is None else grouped(number)}"
        for name, number in numbers.items()
    )


def _person(request: HttpRequest) -> User:
    return cast(User, request.user)


Row = TypeVar("Row", bound=Model)


class AboutPeople(admin.ModelAdmin[Row]):
    """People, or rows with a `user`. Those of administrators can be changed and deleted only by administrators.

    Others with rights to this list could become administrators otherwise.
    """

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return self._may_touch(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return self._may_touch(request, obj) and super().has_delete_permission(request, obj)

    def _may_touch(self, request: HttpRequest, row: Row | None) -> bool:
        person: Any = row if isinstance(row, User) else getattr(row, "user", None)
        return person is None or not person.is_superuser or _person(request).is_superuser


# Screen readers can't read Django's widget of two lists; a plain list with several choices they can.
admin.site.unregister(Group)


@admin.register(Group)
class PlainGroupAdmin(GroupAdmin):
    filter_horizontal = []


@admin.register(User)
class AccountAdmin(AboutPeople[User], UserAdmin[User]):
    form = PersonForm
    list_display = ["username", "email", "is_active", "is_staff", "date_joined", "last_login", "jobs"]
    list_filter = ["is_active", "is_staff", "is_superuser", "date_joined"]
    date_hierarchy = "date_joined"
    actions = ["deactivate", "activate", "make_reset_link"]
    readonly_fields = ["last_login", "date_joined"]
    filter_horizontal = []

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """Return what can't be changed here. Addresses have a list of their own, because a person can have several."""
        roles = [] if _person(request).is_superuser else sorted(ROLES)
        return [*super().get_readonly_fields(request, obj), "email", *roles]

    @admin.action(
        description=gettext_lazy(
            "Deactivate the selected people (ends their sessions, tokens and jobs; deletes nothing)"
        ),
        permissions=["change"],
    )
    def deactivate(self, request: HttpRequest, people: QuerySet[User]) -> None:
        for user in self._within_reach(request, people):
            self._deactivate(request, user)

    @admin.action(description=gettext_lazy("Let the selected people sign in again"), permissions=["change"])
    def activate(self, request: HttpRequest, people: QuerySet[User]) -> None:
        for user in self._within_reach(request, people):
            services.activate(user, by=_person(request))
            self.log_change(request, user, _("Activated."))
            self.message_user(request, _("Activated %(person)s.") % {"person": user}, messages.SUCCESS)

    def _within_reach(self, request: HttpRequest, people: QuerySet[User]) -> list[User]:
        """Return the people whom the person may change, and name the others."""
        chosen = [user for user in people if self.has_change_permission(request, user)]
        for user in people:
            if user not in chosen:
                self.message_user(request, ONLY_FOR_ADMINISTRATORS % {"person": user}, messages.WARNING)
        return chosen

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save the person. The checkbox "active" does the same as the actions."""
        ends = change and "is_active" in form.changed_data and not obj.is_active
        if ends:
            obj.is_active = True
        super().save_model(request, obj, form, change)
        if ends:
            self._deactivate(request, obj)
        elif change and "is_active" in form.changed_data:
            security_log.record(Action.ACTIVATED, who=obj, by=_person(request))
        if changed := ROLES & set(form.changed_data):
            roles = {name: getattr(obj, name) for name in ("is_staff", "is_superuser")}
            details = {"changed": sorted(changed), **roles}
            security_log.record(Action.ROLES_CHANGED, who=obj, by=_person(request), **details)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Log when an administrator sets somebody's password on Django's page for it."""
        before = User.objects.filter(pk=id).first() if id.isdecimal() else None
        answer = super().user_change_password(request, id, form_url)
        after = User.objects.filter(pk=before.pk).first() if before else None
        if before and after and before.password != after.password:
            security_log.record(Action.PASSWORD_CHANGED, who=after, by=_person(request), request=request)
        return answer

    def _deactivate(self, request: HttpRequest, user: User) -> None:
        try:
            ended = services.counted(services.deactivate(user, by=_person(request)))
        except services.LastAdministrator as error:
            self.message_user(request, translated(error), messages.WARNING)
            return
        self.log_change(request, user, _("Deactivated. Ended: %(things)s.") % {"things": ended})
        told = _("Deactivated %(person)s. Ended: %(things)s.") % {"person": user, "things": ended}
        self.message_user(request, told, messages.SUCCESS)

    def get_deleted_objects(
        self, objs: Sequence[User] | QuerySet[User], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Return what would be deleted with the people, as the services count it. Posts aren't listed one by one."""
        people = list(objs)
        names, counts = [], Counter[str]()
        for user in people:
            belongings = services.belongings(user)
            counts.update({str(services.PLURALS[noun]): number for noun, number in belongings.items() if number})
            things = services.counted(belongings)
            names.append(_("%(person)s, with %(things)s") % {"person": user, "things": things})
        allowed = all(self.has_delete_permission(request, user) for user in people)
        last = _("%(person)s: no other administrator would be left")
        kept = [last % {"person": user} for user in people if services.is_last_administrator(user, without=people)]
        return names, {_("people"): len(people), **counts}, set() if allowed else {_("people")}, kept

    @admin.action(
        description=gettext_lazy("Create a password reset link for the selected person"), permissions=["change"]
    )
    def make_reset_link(self, request: HttpRequest, people: QuerySet[User]) -> None:
        if not cast(User, request.user).is_superuser:
            self.message_user(request, _("Only administrators can create a reset link."), messages.WARNING)
            return
        if people.count() != 1:
            self.message_user(request, _("Select one person."), messages.WARNING)
            return
        user = people.get()
        link = request.build_absolute_uri(passwords.reset_path(user, by=_person(request)))
        told = _("Give %(person)s this link. It works once and expires after three days: %(link)s")
        self.message_user(request, told % {"person": user, "link": link}, messages.WARNING)

    def get_inlines(self, request: HttpRequest, obj: User | None) -> list[type[InlineModelAdmin[Any, Any]]]:
        """Show limits only for an existing person. A new one starts with the defaults."""
        return [] if obj is None else [LimitsInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        people: QuerySet[User] = super().get_queryset(request)
        return people.annotate(job_count=Count("jobs", distinct=True))

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        self._delete(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            self._delete(request, user)

    def _delete(self, request: HttpRequest, user: User) -> None:
        try:
            gone = services.counted(services.delete_account(user, by=_person(request)))
        except services.LastAdministrator as error:
            self.message_user(request, translated(error), messages.WARNING)
            return
        told = _("Deleted with %(person)s: %(things)s.") % {"person": user.username, "things": gone}
        self.message_user(request, told, messages.SUCCESS)

    @admin.display(ordering="job_count", description=gettext_lazy("jobs"))
    def jobs(self, user: User) -> int:
        count: int = user.job_count  # type: ignore[attr-defined]
        return count


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
            tokens.revoke_token(token, by=_person(request))
            told = _("Revoked “%(token)s” of %(person)s.") % {"token": token, "person": token.owner}
            self.message_user(request, told, messages.SUCCESS)

    def delete_model(self, request: HttpRequest, obj: ApiToken) -> None:
        # For the security log.
        tokens.revoke_token(obj, by=_person(request))
        obj.delete()


@admin.register(HouseRules)
class HouseRulesAdmin(ReadOnlyAdmin[HouseRules]):
    """The house rules. There is one row, so the list redirects to its page."""

    editable = frozenset(
        {"signup_mode", "public_sharing", "open_gallery", "administrators_need_two_factor", "banned_phrases"}
    )
    fields = ["signup_mode", "public_sharing", "open_gallery", "administrators_need_two_factor", "banned_phrases"]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the field. Its empty choice shows the value from the settings."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        from_settings = _("From the settings: %(value)s")
        if isinstance(field, forms.NullBooleanField):
            usual = _("yes") if getattr(settings, db_field.name.upper()) else _("no")
            unknown = from_settings % {"value": usual}
            field.widget.choices = [("unknown", unknown), ("true", _("Yes")), ("false", _("No"))]
        if isinstance(field, forms.ChoiceField):
            usual = str(HouseRules.Signup(settings.SIGNUP_MODE).label).lower()
            field.choices = [("", from_settings % {"value": usual}), *HouseRules.Signup.choices]
        return field

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return redirect("admin:accounts_houserules_change", rules.row().pk)

    def has_delete_permission(self, request: HttpRequest, obj: HouseRules | None = None) -> bool:
        return False


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin[Invitation]):
    """Invitations. The link is shown once. Used and expired ones stay, to show who signed up with them."""

    editable = frozenset({"note", "expires_at"})
    list_display = ["__str__", "standing", "used", "uses", "by", "created_at", "expires_at", "revoked_at"]
    list_filter = ["created_at", "expires_at", "revoked_at"]
    search_fields = ["note", "by__username", "guests__username"]
    list_select_related = ["by"]
    fields = ["note", "uses", "expires_at", "used", "guests", "by", "created_at", "revoked_at"]
    actions = ["revoke"]
    # One field with a label, instead of two without.
    formfield_overrides = {DateTimeField: {"form_class": forms.DateTimeField, "widget": ONE_FIELD}}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def get_fields(self, request: HttpRequest, obj: Invitation | None = None) -> Any:
        return ["note", "uses", "expires_at"] if obj is None else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Invitation | None = None) -> list[str]:
        return [] if obj is None else [*super().get_readonly_fields(request, obj), "guests"]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"uses": 1, "expires_at": timezone.now() + timedelta(days=7)}

    def get_form(self, request: HttpRequest, obj: Invitation | None = None, *args: Any, **kwargs: Any) -> Any:
        return super().get_form(request, obj, *args, **kwargs, form=InvitationForm)

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        new = signup.invite(by=cast(User, request.user), note=obj.note, uses=obj.uses, expires_at=obj.expires_at)
        obj.__dict__.update(new.invitation.__dict__)
        link = request.build_absolute_uri(signup.path_of(new))
        told = _("Copy the link now. We won’t show it again: %(link)s") % {"link": link}
        self.message_user(request, told, messages.WARNING)

    @admin.display(description=gettext_lazy("people who signed up with it"))
    def guests(self, invitation: Invitation) -> str:
        names = invitation.guests.order_by("date_joined").values_list("username", flat=True)
        return ", ".join(names) or _("nobody yet")

    @admin.display(description=gettext_lazy("state"))
    def standing(self, invitation: Invitation) -> str:
        return str(signup.STANDINGS[signup.standing(invitation)])

    @admin.action(description=gettext_lazy("Revoke the selected invitations"), permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[Invitation]) -> None:
        for invitation in chosen:
            signup.revoke(invitation)
            self.message_user(request, _("Revoked “%(invitation)s”.") % {"invitation": invitation}, messages.SUCCESS)


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
        email_addresses.save(obj, by=_person(request))

    def delete_model(self, request: HttpRequest, obj: EmailAddress) -> None:
        email_addresses.delete(obj, by=_person(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[EmailAddress]) -> None:
        for address in queryset:
            email_addresses.delete(address, by=_person(request))


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
        two_factor.switch_off(obj.user, by=_person(request))


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


@admin.register(SecurityEntry)
class SecurityEntryAdmin(ReadOnlyAdmin[SecurityEntry]):
    """The security log, read-only."""

    list_display = ["at", "action", "who_name", "by_name", "address", "times"]
    list_display_links = ["at", "action"]
    list_filter = ["action", "at"]
    search_fields = ["who_name", "by_name", "address"]
    date_hierarchy = "at"
    fields = ["at", "action", "who_name", "by_name", "address", "times", "details"]

    def has_change_permission(self, request: HttpRequest, obj: SecurityEntry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: SecurityEntry | None = None) -> bool:
        return False
