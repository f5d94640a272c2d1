from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PublishingConfig(AppConfig):
    name = "publishing"
    verbose_name = _("Publishing")

    def ready(self) -> None:
        from botfactory import celery, scheduler  # noqa: F401
        from publishing.queue import filling, mails
        from publishing.sending import sender

        scheduler.register("posts of bots", sender.look)
        scheduler.register("proposals of bots", filling.look)
        scheduler.register("mails about accounts of bots", mails.look)
