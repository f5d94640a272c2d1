from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from botfactory.words.translation import restored


class Webhook(models.Model):
    """An address that gets a message when a job or post of its owner ends. The secret isn't stored: see signing.py."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, verbose_name=_("id"))
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhooks", verbose_name=_("owner")
    )
    url = models.CharField(max_length=2000, verbose_name=_("address"))
    # The events it receives (event_types.py).
    events = models.JSONField(default=list, verbose_name=_("events"))
    active = models.BooleanField(default=True, verbose_name=_("active"))
    # Why it was switched off, if the owner didn't do it, and how that is translated (words.translation.stored).
    trouble = models.TextField(blank=True, verbose_name=_("why it was switched off"))
    trouble_words = models.JSONField(
        default=dict, blank=True, editable=False, verbose_name=_("translation of the reason")
    )
    # When that was, and when the owner's mail about it is due (botfactory.accounts.due_mails).
    switched_off_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("switched off at"))
    mail_due_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("mail due at"))
    salt = models.CharField(max_length=64, editable=False, verbose_name=_("salt"))
    # Earlier salts, newest first, as [salt, seconds since 1970]. Until then messages are signed with it too, because
    # the receiver may not have the new secret yet.
    former_salts = models.JSONField(default=list, editable=False, verbose_name=_("former salts"))
    # Tells whether the secret is still the one that the owner was shown.
    secret_check = models.CharField(max_length=16, editable=False, verbose_name=_("secret check"))
    # The first failure since the last success.
    failing_since = models.DateTimeField(null=True, blank=True, verbose_name=_("failing since"))
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=_("created at"))

    class Meta:
        ordering: ClassVar = ["-created_at"]
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")

    def __str__(self) -> str:
        return self.url

    def get_absolute_url(self) -> str:
        from django.urls import reverse

        return reverse("webhook", args=[self.pk])

    @property
    def shown_trouble(self) -> str:
        """Return why it was switched off in the active language, or ""."""
        return restored(self.trouble, self.trouble_words)


class Delivery(models.Model):
    """One message to a webhook, until it arrives or is given up. The row is the truth; the broker only rings."""

    class State(models.TextChoices):
        PENDING = "pending", _("Waiting")
        SENDING = "sending", _("Sending")
        DELIVERED = "delivered", _("Arrived")
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, verbose_name=_("id"))
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries", verbose_name=_("webhook"))
    event = models.CharField(max_length=64, verbose_name=_("event"))
    # The id of what it is about, such as a job.
    subject_id = models.UUIDField(verbose_name=_("subject"))
    # What the message says beside the id. Empty once it has arrived.
    data = models.JSONField(default=dict, blank=True, editable=False, verbose_name=_("content"))
    state = models.CharField(max_length=16, choices=State, default=State.PENDING, verbose_name=_("state"))
    # Counts the tries. A sender with another number or time has lost the delivery and must not write to it.
    attempts = models.PositiveIntegerField(default=0, verbose_name=_("attempts"))
    # When to try next. While it is being sent: when to presume the sender dead.
    due_at = models.DateTimeField(null=True, blank=True, default=timezone.now, verbose_name=_("due at"))
    tried_at = models.DateTimeField(null=True, blank=True, verbose_name=_("tried at"))
    # The last try: the status, or why there was no answer. The body of the answer is never kept.
    status = models.PositiveSmallIntegerField(null=True, blank=True, verbose_name=_("status"))
    error = models.TextField(blank=True, verbose_name=_("error"))
    error_words = models.JSONField(default=dict, blank=True, editable=False, verbose_name=_("translation of the error"))
    seconds = models.FloatField(null=True, blank=True, verbose_name=_("seconds"))
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=_("created at"))

    class Meta:
        ordering: ClassVar = ["-created_at"]
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        indexes: ClassVar = [
            models.Index(fields=["state", "due_at"], name="delivery_state_due"),
            models.Index(fields=["webhook", "-created_at"], name="delivery_webhook_created"),
        ]

    def __str__(self) -> str:
        return f"{self.event} ({self.get_state_display()})"

    @property
    def shown_error(self) -> str:
        """Return what went wrong with the last try in the active language, or ""."""
        return restored(self.error, self.error_words)
