from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin import apps as admin
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "botfactory.accounts"
    verbose_name = _("People")

    def ready(self) -> None:
        from botfactory import scheduler
        from botfactory.accounts import hearing, sessions, visitors

        hearing.begin()
        scheduler.register("sessions", sessions.forget_ended, every=scheduler.HOURLY)
        scheduler.register("visitors", visitors.forget_old, every=scheduler.HOURLY)


class HouseAdminConfig(admin.AdminConfig):
    """Django's administration with our site, which has no sign-in of its own."""

    default = False
    default_site = "botfactory.accounts.site.HouseSite"
