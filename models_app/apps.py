from __future__ import annotations

from django.apps import AppConfig


class ModelsAppConfig(AppConfig):
    name = "models_app"
    verbose_name = "Models"

    def ready(self) -> None:
        from botfactory.accounts.services import register_farewell
        from models_app import made_from, registry, runner, services
        from tweets.made_from import Maker
        from tweets.made_from import register as register_maker

        runner.register()
        services.register_limits()
        register_farewell(registry.delete_models_of)
        register_maker(Maker(count=made_from.count, delete=made_from.delete))
