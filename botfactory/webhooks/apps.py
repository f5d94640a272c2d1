from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WebhooksConfig(AppConfig):
    name = "botfactory.webhooks"
    verbose_name = _("Webhooks")

    def ready(self) -> None:
        from botfactory import celery, scheduler  # noqa: F401
        from botfactory.webhooks import delivery, mails, services

        services.register()
        scheduler.register("webhooks", delivery.look)
        scheduler.register("mails about webhooks", mails.look)
