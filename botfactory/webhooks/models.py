from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Webhook(models.Model):
    """An address that gets a message when one of the owner's jobs ends. The secret isn't stored: see signing.py."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField(max_length=2000)
    # The events it receives (event_types.py).
    events = models.JSONField(default=list)
    active = models.BooleanField(default=True)
    # Why it was switched off, if the owner didn't do it.
    trouble = models.TextField(blank=True)
    salt = models.CharField(max_length=64, editable=False)
    # Earlier salts, newest first, as [salt, seconds since 1970]. Until then messages are signed with it too, because
    # the receiver may not have the new secret yet.
    former_salts = models.JSONField(default=list, editable=False)
    # Tells whether the secret is still the one that the owner was shown.
    secret_check = models.CharField(max_length=16, editable=False)
    # The first failure since the last success.
    failing_since = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return self.url


class Delivery(models.Model):
    """One message to a webhook, until it arrives or is given up. The row is the truth; the broker only rings."""

    class State(models.TextChoices):
        PENDING = "pending", _("Waiting")
        SENDING = "sending", _("Sending")
        DELIVERED = "delivered", _("Arrived")
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=64)
    # The id of the job it is about.
    subject_id = models.UUIDField()
    state = models.CharField(max_length=16, choices=State, default=State.PENDING)
    # Counts the tries. A sender with an older number has lost the delivery and must not write to it.
    attempts = models.PositiveIntegerField(default=0)
    # When to try next. While it is being sent: when to presume the sender dead.
    due_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    tried_at = models.DateTimeField(null=True, blank=True)
    # The last try: the status, or why there was no answer. The body of the answer is never kept.
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.TextField(blank=True)
    seconds = models.FloatField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        verbose_name_plural = _("deliveries")
        indexes: ClassVar = [
            models.Index(fields=["state", "due_at"], name="delivery_state_due"),
            models.Index(fields=["webhook", "-created_at"], name="delivery_webhook_created"),
        ]

    def __str__(self) -> str:
        return f"{self.event} ({self.state})"
