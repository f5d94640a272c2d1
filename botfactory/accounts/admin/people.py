"""People, their limits and groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin.options import InlineModelAdmin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from botfactory.accounts import limits, passwords, security_log, services
from botfactory.accounts.admin.reach import ONLY_FOR_ADMINISTRATORS, AboutPeople, person_of
from botfactory.accounts.forms import PersonForm
from botfactory.accounts.models import PersonalLimits, User
from botfactory.accounts.security_log import Action
from botfactory.words.translation import grouped, translated

#: Fields of a person that decide what they can do. Only administrators can change them.
ROLES: Final = frozenset({"is_staff", "is_superuser", "groups", "user_permissions"})


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


# Screen readers can't read Django's widget of two lists; a plain list with several choices they can.
admin.site.unregister(Group)


@admin.register(Group)
class PlainGroupAdmin(GroupAdmin):
    """Groups, which only administrators can change. Others could give themselves every permission otherwise."""

    filter_horizontal = []

    def has_add_permission(self, request: HttpRequest) -> bool:
        return person_of(request).is_superuser and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return person_of(request).is_superuser and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return person_of(request).is_superuser and super().has_delete_permission(request, obj)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save the permissions, and log which of them have changed."""
        group = form.instance
        before = _permissions_of(group)
        super().save_related(request, form, formsets, change)
        after = _permissions_of(group)
        if before != after:
            details = {"group": group.name, "added": sorted(after - before), "removed": sorted(before - after)}
            security_log.record(Action.ROLES_CHANGED, who=None, by=person_of(request), **details)


def _permissions_of(group: Group) -> set[str]:
    """Return the names of the group's permissions, such as "jobs.view_job"."""
    found = group.permissions.values_list("content_type__app_label", "codename")
    return {f"{label}.{name}" for label, name in found}


@admin.register(User)
class AccountAdmin(AboutPeople[User], UserAdmin[User]):
    form = PersonForm
    list_display = ["username", "email", "is_active", "is_staff", "date_joined", "last_login", "jobs"]
    list_filter = ["is_active", "is_staff", "is_superuser", "date_joined"]
    date_hierarchy = "date_joined"
    actions = ["deactivate", "activate", "make_reset_link"]
    readonly_fields = ["last_login", "date_joined"]
    filter_horizontal = []
    fieldsets = [
        (None, {"fields": ["username", "email", "is_active"]}),
        (gettext_lazy("Permissions"), {"fields": ["is_staff", "is_superuser", "groups", "user_permissions"]}),
        (gettext_lazy("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """Return what can't be changed here. Addresses have a list of their own, because a person can have several."""
        roles = [] if person_of(request).is_superuser else sorted(ROLES)
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
            services.activate(user, by=person_of(request))
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
            security_log.record(Action.ACTIVATED, who=obj, by=person_of(request))
        if changed := ROLES & set(form.changed_data):
            roles = {name: getattr(obj, name) for name in ("is_staff", "is_superuser")}
            details = {"changed": sorted(changed), **roles}
            security_log.record(Action.ROLES_CHANGED, who=obj, by=person_of(request), **details)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Log when an administrator sets somebody's password on Django's page for it."""
        before = User.objects.filter(pk=id).first() if id.isdecimal() else None
        answer = super().user_change_password(request, id, form_url)
        after = User.objects.filter(pk=before.pk).first() if before else None
        if before and after and before.password != after.password:
            security_log.record(Action.PASSWORD_CHANGED, who=after, by=person_of(request), request=request)
        return answer

    def _deactivate(self, request: HttpRequest, user: User) -> None:
        try:
            ended = services.counted(services.deactivate(user, by=person_of(request)))
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
        if not person_of(request).is_superuser:
            self.message_user(request, _("Only administrators can create a reset link."), messages.WARNING)
            return
        if people.count() != 1:
            self.message_user(request, _("Select one person."), messages.WARNING)
            return
        user = people.get()
        link = request.build_absolute_uri(passwords.reset_path(user, by=person_of(request)))
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
            gone = services.counted(services.delete_account(user, by=person_of(request)))
        except services.LastAdministrator as error:
            self.message_user(request, translated(error), messages.WARNING)
            return
        told = _("Deleted with %(person)s: %(things)s.") % {"person": user.username, "things": gone}
        self.message_user(request, told, messages.SUCCESS)

    @admin.display(ordering="job_count", description=gettext_lazy("jobs"))
    def jobs(self, user: User) -> int:
        count: int = user.job_count  # type: ignore[attr-defined]
        return count
