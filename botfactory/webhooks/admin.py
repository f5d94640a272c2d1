from __future__ import annotations

import contextlib

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from botfactory.web.desk import ReadOnlyAdmin
from botfactory.webhooks import services
from botfactory.webhooks.models import Delivery, Webhook
from botfactory.words.translatable import mark
from botfactory.words.translation import grouped


@admin.register(Webhook)
class WebhookAdmin(ReadOnlyAdmin[Webhook]):
    """The webhooks and whether they work. Their messages are in the list of deliveries."""

    list_display = ["url", "owner", "active", "events", "failing_since", "why_off", "created_at"]
    list_filter = ["active", "failing_since", "created_at"]
    search_fields = ["id", "url", "owner__username", "owner__email"]
    list_select_related = ["owner"]
    date_hierarchy = "created_at"
    fields = ["owner", "url", "events", "active", "why_off", "failing_since", "created_at"]
    actions = ["switch_off"]

    def get_readonly_fields(self, request: HttpRequest, obj: Webhook | None = None) -> list[str]:
        return [*super().get_readonly_fields(request, obj), "why_off"]

    @admin.display(description=_("why it was switched off"), ordering="trouble")
    def why_off(self, webhook: Webhook) -> str:
        return webhook.shown_trouble

    @admin.action(description=_("Switch off the selected webhooks"), permissions=["change"])
    def switch_off(self, request: HttpRequest, chosen: QuerySet[Webhook]) -> None:
        for webhook in chosen:
            services.switch_off(webhook, mark("Switched off by the administrator."))
        count = chosen.count()
        done = ngettext("%(count)s webhook switched off.", "%(count)s webhooks switched off.", count)
        self.message_user(request, done % {"count": grouped(count)}, messages.SUCCESS)

    def delete_model(self, request: HttpRequest, obj: Webhook) -> None:
        # Its owner may have deleted it just now.
        with contextlib.suppress(Webhook.DoesNotExist):
            services.delete(obj)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin[Delivery]):
    """The messages and their results."""

    list_display = ["event", "webhook", "owner", "state", "attempts", "status", "what_failed", "created_at", "due_at"]
    list_filter = ["state", "event", "status", "created_at"]
    search_fields = ["id", "subject_id", "webhook__url", "webhook__owner__username", "error"]
    list_select_related = ["webhook__owner"]
    date_hierarchy = "created_at"

    @admin.display(description=_("owner"), ordering="webhook__owner__username")
    def owner(self, delivery: Delivery) -> str:
        return delivery.webhook.owner.get_username()

    @admin.display(description=_("error"), ordering="error")
    def what_failed(self, delivery: Delivery) -> str:
        return delivery.shown_error
