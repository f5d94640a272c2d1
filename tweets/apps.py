from __future__ import annotations

from django.apps import AppConfig


class TweetsConfig(AppConfig):
    name = "tweets"

    def ready(self) -> None:
        from botfactory.accounts.services import register_farewell
        from tweets import runner, services

        runner.register()
        services.register_limits()
        register_farewell(services.delete_corpora_of)
