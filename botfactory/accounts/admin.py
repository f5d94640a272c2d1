from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

from allauth.mfa import admin as mfa_admin  # noqa: F401
from allauth.mfa.models import Authenticator
from allauth.usersessions import admin as sessions_admin  # noqa: F401
from allauth.usersessions.models import UserSession
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.options import InlineModelAdmin
from django.contrib.auth.admin import UserAdmin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from botfactory.accounts import limits, passwords, rules, security_log, services, signup, tokens, two_factor
from botfactory.accounts.forms import InvitationForm
from botfactory.accounts.models import ApiToken, HouseRules, Invitation, PersonalLimits, SecurityEntry, User
from botfactory.accounts.security_log import Action
from botfactory.desk import ReadOnlyAdmin

#: Fields of a person that say what they may.
ROLES = frozenset({"is_staff", "is_superuser", "groups", "user_permissions"})


class LimitsInline(admin.StackedInline[PersonalLimits, User]):
    """Empty fields are at the default; `now` is what counts against each."""

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

    @admin.display(description="uses now")
    def now(self, row: PersonalLimits) -> str:
        return _in_words(limits.usage_of(row.user).as_dict()) if row.user_id else ""

    @admin.display(description="defaults")
    def usual(self, row: PersonalLimits) -> str:
        return _in_words(limits.defaults().as_dict())


def _in_words(numbers: Mapping[str, int | None]) -> str:
    """ "queued jobs 3, running jobs no limit"."""
    return ", ".join(
        f"{name.replace('_', ' ')} {'no limit' if number is None else format(number, ',')}"
        for name, number in numbers.items()
    )


def _person(request: HttpRequest) -> User:
    return cast(User, request.user)


@admin.register(User)
class AccountAdmin(UserAdmin[User]):
    list_display = ["username", "email", "is_active", "is_staff", "date_joined", "last_login", "jobs"]
    list_filter = ["is_active", "is_staff", "is_superuser", "date_joined"]
    date_hierarchy = "date_joined"
    actions = ["deactivate", "activate", "make_reset_link"]

    @admin.action(
        description="Deactivate the selected people: sessions, tokens and jobs end, what they made stays",
        permissions=["change"],
    )
    def deactivate(self, request: HttpRequest, people: QuerySet[User]) -> None:
        for user in people:
            self._deactivate(request, user)

    @admin.action(description="Let the selected people sign in again", permissions=["change"])
    def activate(self, request: HttpRequest, people: QuerySet[User]) -> None:
        for user in people:
            services.activate(user, by=_person(request))
            self.log_change(request, user, "Activated.")
            self.message_user(request, f"Activated {user}.", messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """The box "active" does what the actions do."""
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
        """Django's page on which an administrator sets somebody's password."""
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
            self.message_user(request, str(error), messages.WARNING)
            return
        self.log_change(request, user, f"Deactivated; ended: {ended}.")
        self.message_user(request, f"Deactivated {user}; what was ended: {ended}.", messages.SUCCESS)

    def get_deleted_objects(
        self, objs: Sequence[User] | QuerySet[User], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """What goes with the people, as the services that take it along count it; posts are not listed one by one."""
        people = list(objs)
        names, counts = [], Counter[str]()
        for user in people:
            belongings = services.belongings(user)
            counts.update({services.plural(noun): number for noun, number in belongings.items() if number})
            names.append(f"{user}, with {services.counted(belongings)}")
        allowed = self.has_delete_permission(request)
        kept = [f"{user}: the only administrator here" for user in people if services.is_last_administrator(user)]
        return names, {"people": len(people), **counts}, set() if allowed else {"people"}, kept

    @admin.action(description="Make a link with which the selected person sets a new password", permissions=["change"])
    def make_reset_link(self, request: HttpRequest, people: QuerySet[User]) -> None:
        if people.count() != 1 or not cast(User, request.user).is_superuser:
            message = "Choose exactly one person; only administrators make such a link."
            self.message_user(request, message, messages.WARNING)
            return
        user = people.get()
        link = request.build_absolute_uri(passwords.reset_path(user, by=_person(request)))
        self.message_user(request, f"Give {user} this link, it works once within three days: {link}", messages.WARNING)

    def get_inlines(self, request: HttpRequest, obj: User | None) -> list[type[InlineModelAdmin[Any, Any]]]:
        """A person who is only just being added has the defaults."""
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
        gone = services.counted(services.delete_account(user, by=_person(request)))
        self.message_user(request, f"With {user.username} went {gone}.", messages.SUCCESS)

    @admin.display(ordering="job_count")
    def jobs(self, user: User) -> int:
        count: int = user.job_count  # type: ignore[attr-defined]
        return count


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin[ApiToken]):
    """Whose tokens there are, and when they were used. Nobody makes one for somebody else."""

    list_display = ["name", "owner", "prefix", "scopes", "created_at", "last_used_at", "expires_at", "revoked_at"]
    list_filter = ["created_at", "last_used_at", "expires_at", "revoked_at"]
    search_fields = ["name", "prefix", "owner__username", "owner__email"]
    list_select_related = ["owner"]
    date_hierarchy = "created_at"
    fields = ["owner", "name", "prefix", "scopes", "created_at", "last_used_at", "expires_at", "revoked_at"]
    actions = ["revoke"]

    @admin.action(description="Revoke the selected tokens", permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiToken]) -> None:
        for token in chosen:
            tokens.revoke_token(token, by=_person(request))
            self.message_user(request, f"{token} of {token.owner} is revoked.", messages.SUCCESS)


@admin.register(HouseRules)
class HouseRulesAdmin(ReadOnlyAdmin[HouseRules]):
    """One row: its list is its page."""

    editable = frozenset(
        {"signup_mode", "public_sharing", "open_gallery", "administrators_need_two_factor", "banned_phrases"}
    )
    fields = ["signup_mode", "public_sharing", "open_gallery", "administrators_need_two_factor", "banned_phrases"]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A rule that is not decided says what holds instead."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(field, forms.NullBooleanField):
            usual = "yes" if getattr(settings, db_field.name.upper()) else "no"
            field.widget.choices = [("unknown", f"as the settings say: {usual}"), ("true", "yes"), ("false", "no")]
        if isinstance(field, forms.ChoiceField):
            usual = HouseRules.Signup(settings.SIGNUP_MODE).label.lower()
            field.choices = [("", f"As the settings say: {usual}"), *HouseRules.Signup.choices]
        return field

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return redirect("admin:accounts_houserules_change", rules.row().pk)

    def has_delete_permission(self, request: HttpRequest, obj: HouseRules | None = None) -> bool:
        return False


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin[Invitation]):
    """Made here; the link is shown once. Those that are used up or past stay, to tell who came with them."""

    editable = frozenset({"note", "expires_at"})
    list_display = ["__str__", "standing", "used", "uses", "by", "created_at", "expires_at", "revoked_at"]
    list_filter = ["created_at", "expires_at", "revoked_at"]
    search_fields = ["note", "by__username", "guests__username"]
    list_select_related = ["by"]
    fields = ["note", "uses", "expires_at", "used", "guests", "by", "created_at", "revoked_at"]
    actions = ["revoke"]

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
        self.message_user(request, f"Copy the link now, it is shown this once: {link}", messages.WARNING)

    @admin.display(description="who came with it")
    def guests(self, invitation: Invitation) -> str:
        return ", ".join(invitation.guests.order_by("date_joined").values_list("username", flat=True)) or "nobody yet"

    @admin.display(description="is")
    def standing(self, invitation: Invitation) -> str:
        return signup.standing(invitation)

    @admin.action(description="Revoke: nobody signs up with the selected invitations", permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[Invitation]) -> None:
        for invitation in chosen:
            signup.revoke(invitation)
            self.message_user(request, f"{invitation} is revoked.", messages.SUCCESS)


# Theirs are registered by importing them; ours show neither the key of a session nor the secret of a second factor.
admin.site.unregister([Authenticator, UserSession])


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin[Authenticator]):
    """Who has a second factor. Deleting one switches two-factor off, for somebody who has lost it."""

    list_display = ["user", "type", "created_at", "last_used_at"]
    list_filter = ["type", "created_at", "last_used_at"]
    search_fields = ["user__username", "user__email"]
    list_select_related = ["user"]
    fields = ["user", "type", "created_at", "last_used_at"]

    def delete_model(self, request: HttpRequest, obj: Authenticator) -> None:
        two_factor.switch_off(obj.user, by=_person(request))


@admin.register(UserSession)
class UserSessionAdmin(ReadOnlyAdmin[UserSession]):
    """Where people are signed in. Deleting a row signs that browser out."""

    list_display = ["user", "created_at", "last_seen_at", "ip", "user_agent"]
    list_filter = ["created_at", "last_seen_at"]
    search_fields = ["user__username", "ip"]
    list_select_related = ["user"]
    fields = ["user", "created_at", "last_seen_at", "ip", "user_agent"]

    def delete_model(self, request: HttpRequest, obj: UserSession) -> None:
        obj.end()


@admin.register(SecurityEntry)
class SecurityEntryAdmin(ReadOnlyAdmin[SecurityEntry]):
    """Written by the product alone; read here."""

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
