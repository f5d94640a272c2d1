from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TweetsConfig(AppConfig):
    name = "tweets"
    verbose_name = _("Posts")

    def ready(self) -> None:
        from botfactory.accounts.services import register_farewell
        from botfactory.jobs import kinds
        from botfactory.ops.checks import register as register_check
        from botfactory.ops.metrics import register as register_metrics
        from botfactory.your_data import parts
        from tweets.corpora import checks, deletion, metrics, services, your_data
        from tweets.importing import runner

        kinds.register(runner.KIND)
        services.register_limits()
        parts.register(things=your_data.CORPORA)
        register_farewell(deletion.delete_corpora_of, count=deletion.count_corpora_of)
        register_metrics(metrics.collect)
        register_check("corpora", checks.corpora)
