from __future__ import annotations

from django.apps import AppConfig


class ModelsAppConfig(AppConfig):
    name = "models_app"
    verbose_name = "Models"

    def ready(self) -> None:
        from botfactory.accounts.services import register_farewell
        from models_app import registry, runner

        runner.register()
        register_farewell(registry.delete_models_of)
