from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class YourDataConfig(AppConfig):
    name = "botfactory.your_data"
    verbose_name = _("Your data")

    def ready(self) -> None:
        from botfactory.jobs import kinds
        from botfactory.your_data import runner

        kinds.register(runner.KIND)
