from __future__ import annotations

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "botfactory.ops"

    def ready(self) -> None:
        from botfactory.ops import checks, job_metrics, machine_checks, metrics, service_checks, setting_checks

        metrics.register(job_metrics.collect)
        checks.register("database", service_checks.database)
        checks.register("broker", service_checks.broker)
        checks.register("channel layer", service_checks.channel_layer)
        checks.register("scheduler", service_checks.rounds)
        checks.register("workers", service_checks.jobs_and_workers)
        checks.register("disk", machine_checks.disk)
        checks.register("gpu", machine_checks.gpus)
        checks.register("connections", machine_checks.connections)
        checks.register("settings", setting_checks.safety)
        checks.register("files", setting_checks.files)
        checks.register("pages", setting_checks.page_files)
