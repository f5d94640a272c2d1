from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class ModelsAppConfig(AppConfig):
    name = "models_app"
    verbose_name = gettext_lazy("Models")

    def ready(self) -> None:
        from botfactory.accounts.services import register_farewell
        from botfactory.jobs import kinds
        from botfactory.ops import checks, components, metrics
        from botfactory.your_data import parts
        from models_app import checks as model_checks
        from models_app.bases import adding
        from models_app.bases import runner as base_runner
        from models_app.bases.getting import runner as getting_runner
        from models_app.bots import pretrained, registry
        from models_app.pages import made_from
        from models_app.search import runner as search_runner
        from models_app.training import fine_tune_job, instant, report_card_job
        from models_app.writing import checks as writing_checks
        from models_app.your_data.bots import BOTS
        from models_app.your_data.rows import ROWS
        from tweets.corpora.made_from import Maker
        from tweets.corpora.made_from import register as register_maker

        pretrained.keep()
        kinds.register(
            fine_tune_job.KIND,
            base_runner.TRAINING,
            base_runner.EVALUATION,
            adding.KIND,
            report_card_job.KIND,
            getting_runner.KIND,
            instant.KIND,
            search_runner.KIND,
            search_runner.BASE_KIND,
        )
        registry.register_limits()
        parts.register(things=BOTS, rows=ROWS)
        register_farewell(registry.delete_models_of, count=registry.count_models_of)
        register_maker(Maker(made_from.count, made_from.delete, made_from.end_sharing))
        components.register("base_model", model_checks.base_is_readable)
        components.register("writer", writing_checks.require_writer)
        metrics.register(writing_checks.collect)
        checks.register("writer", writing_checks.writers)
        checks.register("base model", model_checks.base_model)
        checks.register("fluent bots", model_checks.fluent)
        checks.register("checkpoints", model_checks.checkpoints)
