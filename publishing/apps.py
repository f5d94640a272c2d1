from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PublishingConfig(AppConfig):
    name = "publishing"
    verbose_name = _("Publishing")

    def ready(self) -> None:
        from botfactory import celery, scheduler  # noqa: F401
        from botfactory.accounts import rules
        from botfactory.your_data import parts
        from models_app.bots import registry
        from publishing import your_data
        from publishing.queue import filling, mails, stopping
        from publishing.sending import notices, remains, sender

        notices.register()
        parts.register(rows=[parts.Rows("proposals", your_data.proposals)])
        scheduler.register("posts of bots", sender.look)
        scheduler.register("proposals of bots", filling.look)
        scheduler.register("posts of deleted bots", remains.look)
        registry.register_before_deletion(remains.keep)
        rules.register_posting(stopping.go_on_everywhere)
        scheduler.register("mails about accounts of bots", mails.look)
