from __future__ import annotations

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "botfactory.webhooks"

    def ready(self) -> None:
        from botfactory import celery  # noqa: F401
        from botfactory.webhooks import services

        services.register()
