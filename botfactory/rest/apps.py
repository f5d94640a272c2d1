from __future__ import annotations

from django.apps import AppConfig


class RestConfig(AppConfig):
    name = "botfactory.rest"
    verbose_name = "REST API"
