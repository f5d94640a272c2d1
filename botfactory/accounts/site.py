"""The site of the administration. People sign in and change passwords on the product's own pages instead."""

from __future__ import annotations

from functools import update_wrapper
from typing import Any, Final

from allauth.account import views as allauth_views
from allauth.account.decorators import secure_admin_login
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _

from botfactory.accounts import sections, two_factor
from botfactory.accounts.models import User

NOT_YOURS: Final = _("This page is for administrators. If you need it, ask one to give you access.")
SET_UP_TWO_FACTOR: Final = _("Administrators here need two-factor sign-in. Set it up to open the administration.")


class HouseSite(AdminSite):
    site_header = site_title = _("Bot Factory administration")
    #: templates/admin/sections.html takes the place of Django's list of apps.
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and not two_factor.is_missing(request.user)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the sections of the administration, or the app with this label."""
        apps = super().get_app_list(request, app_label)
        if app_label or not isinstance(request.user, User):
            return apps
        return sections.arranged(apps, request.user, self._heading_of)

    def _heading_of(self, model: type[Model]) -> str:
        return str(getattr(self.get_model_admin(model), "heading", ""))

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Turn strangers away ourselves. Django would show them a sign-in form of the administration."""
        guarded = super().admin_view(view, cacheable)

        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            return guarded(request, *args, **kwargs) if self.has_permission(request) else self.turn_away(request)

        return update_wrapper(inner, guarded)

    def turn_away(self, request: HttpRequest) -> HttpResponse:
        """Redirect to the sign-in page or to setting up two-factor, whichever lets the person in, or answer 403."""
        if not request.user.is_authenticated:
            response: HttpResponse = secure_admin_login(self.index)(request)
            return response
        if not super().has_permission(request):
            return render(request, "403.html", {"exception": NOT_YOURS}, status=403)
        messages.warning(request, SET_UP_TWO_FACTOR)
        return redirect("mfa_index")

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Accept no password. Not even an administrator can become somebody else here."""
        return redirect("admin:index") if self.has_permission(request) else self.turn_away(request)

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return allauth_views.logout(request) if request.method == "POST" else redirect("account_logout")

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("account_change_password")

    def password_change_done(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("account_change_password")
