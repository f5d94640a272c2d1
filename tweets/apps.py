from __future__ import annotations

from django.apps import AppConfig


class TweetsConfig(AppConfig):
    name = "tweets"

    def ready(self) -> None:
        from tweets import runner

        runner.register()
