from __future__ import annotations

from django.apps import AppConfig


class RestConfig(AppConfig):
    name = "botfactory.rest"
    verbose_name = "REST API"

    def ready(self) -> None:
        from botfactory import scheduler
        from botfactory.rest import idempotency

        scheduler.register("idempotency keys", idempotency.forget_old, every=scheduler.HOURLY)
