from __future__ import annotations

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "botfactory.jobs"

    def ready(self) -> None:
        from botfactory.accounts.services import register_farewell
        from botfactory.jobs import services
        from botfactory.jobs.models import Job

        register_farewell(lambda user: services.delete_jobs(Job.objects.filter(owner=user)))
