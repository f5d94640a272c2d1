"""The house rules, and invitations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import DateTimeField, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from botfactory.accounts import rules, signup
from botfactory.accounts.admin.reach import person_of
from botfactory.accounts.forms import InvitationForm
from botfactory.accounts.models import HouseRules, Invitation
from botfactory.web.desk import ReadOnlyAdmin

#: A date and a time, as browsers let people choose them.
ONE_FIELD: Final = forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"})


@admin.register(HouseRules)
class HouseRulesAdmin(ReadOnlyAdmin[HouseRules]):
    """The house rules. There is one row, so the list redirects to its page."""

    editable = frozenset(
        {
            "signup_mode",
            "public_sharing",
            "open_gallery",
            "administrators_need_two_factor",
            "banned_phrases",
            "posting_stopped",
        }
    )
    fields = [
        "signup_mode",
        "public_sharing",
        "open_gallery",
        "administrators_need_two_factor",
        "banned_phrases",
        "posting_stopped",
    ]

    def save_model(self, request: HttpRequest, obj: HouseRules, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if "posting_stopped" in form.changed_data and not obj.posting_stopped:
            rules.let_post_again()

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
        new = signup.invite(by=person_of(request), note=obj.note, uses=obj.uses, expires_at=obj.expires_at)
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
