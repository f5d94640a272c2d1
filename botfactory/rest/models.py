from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class KeptAnswer(models.Model):
    """The answer to a request with an Idempotency-Key, as long as the same key gives the same answer."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    # A digest of the method, the address and the body. It tells whether it's the same request again.
    digest = models.CharField(max_length=64)
    # The process that answers. If it finds another value here, it was presumed dead.
    claim = models.UUIDField()
    claimed_at = models.DateTimeField(default=timezone.now)
    # None until the work is done.
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["owner", "key"], name="kept_answer_once")]

    def __str__(self) -> str:
        return f"{self.key} of {self.owner}"


class AnswerSubject(models.Model):
    """The id of something in a kept answer, which is emptied when that is deleted."""

    answer = models.ForeignKey(KeptAnswer, on_delete=models.CASCADE, related_name="subjects")
    number = models.UUIDField(db_index=True)

    def __str__(self) -> str:
        return f"{self.number} in {self.answer}"
