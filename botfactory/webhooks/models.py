from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class Webhook(models.Model):
    """An address that is told of what happens to a person's things. Its secret is nowhere: see signing.py."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField(max_length=2000)
    # The events it receives (event_types.py).
    events = models.JSONField(default=list)
    active = models.BooleanField(default=True)
    # Why it was switched off, where its owner has not done it.
    trouble = models.TextField(blank=True)
    salt = models.CharField(max_length=64, editable=False)
    # Those before, the newest first, as [salt, until when messages are signed by it too (seconds since 1970)]: the
    # receiver may not have the new one yet.
    former_salts = models.JSONField(default=list, editable=False)
    # By which it is known that the secret is still the one that its owner was shown.
    secret_check = models.CharField(max_length=16, editable=False)
    # The first failure since the last success.
    failing_since = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return self.url


class Delivery(models.Model):
    """One message to a webhook, until it has arrived or is given up. The row is the truth; the broker only rings."""

    class State(models.TextChoices):
        PENDING = "pending"
        SENDING = "sending"
        DELIVERED = "delivered"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=64)
    # What it happened to: the id of a job.
    subject_id = models.UUIDField()
    state = models.CharField(max_length=16, choices=State, default=State.PENDING)
    # Counts the tries; whoever holds an older number has lost the delivery and may no longer write to it.
    attempts = models.PositiveIntegerField(default=0)
    # When it is tried next; of one that is being sent, when whoever sends it is taken for dead.
    due_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    tried_at = models.DateTimeField(null=True, blank=True)
    # Of the last try: what the server answered, or why there is no answer. Of the answer's body nothing is kept.
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.TextField(blank=True)
    seconds = models.FloatField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        verbose_name_plural = "deliveries"
        indexes: ClassVar = [
            models.Index(fields=["state", "due_at"], name="delivery_state_due"),
            models.Index(fields=["webhook", "-created_at"], name="delivery_webhook_created"),
        ]

    def __str__(self) -> str:
        return f"{self.event} ({self.state})"
