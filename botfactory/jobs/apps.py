from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    name = "botfactory.jobs"
    verbose_name = _("Jobs")

    def ready(self) -> None:
        # Tasks bind to the application that is there when they are first used: without this one, to Celery's default.
        from botfactory import celery, scheduler  # noqa: F401
        from botfactory.accounts.services import register_farewell, register_suspension
        from botfactory.jobs import mails, reaper, services, usage
        from botfactory.jobs.models import Job
        from botfactory.webhooks import event_types

        register_farewell(
            lambda user, by: {"job": services.delete_jobs(Job.objects.filter(owner=user))},
            count=lambda user: {"job": Job.objects.filter(owner=user).count()},
        )
        register_suspension(lambda user: {"job": services.cancel_all(Job.objects.filter(owner=user))})
        usage.register()
        event_types.register(
            {
                "job.succeeded": _("a job succeeds"),
                "job.failed": _("a job fails"),
                "job.cancelled": _("a job is cancelled"),
            }
        )
        scheduler.register("jobs", reaper.Watch().look)
        scheduler.register("mails about jobs", mails.look)
