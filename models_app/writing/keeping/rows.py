from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy


class KeptPost(models.Model):
    """A post by a bot that a person has kept, as written or edited."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, verbose_name=gettext_lazy("id"))
    model = models.ForeignKey(
        "models_app.TrainedModel",
        on_delete=models.CASCADE,
        related_name="kept_posts",
        verbose_name=gettext_lazy("model"),
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="kept_posts",
        verbose_name=gettext_lazy("owner"),
    )
    # Where the bot wrote it, and its index there.
    generation = models.ForeignKey(
        "models_app.Generation",
        on_delete=models.SET_NULL,
        null=True,
        related_name="kept_posts",
        verbose_name=gettext_lazy("generation"),
    )
    number = models.PositiveIntegerField(verbose_name=gettext_lazy("number"))
    text = models.TextField(verbose_name=gettext_lazy("text"))
    is_edited = models.BooleanField(default=False, verbose_name=gettext_lazy("edited"))
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=gettext_lazy("created at"))

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = gettext_lazy("kept post")
        verbose_name_plural = gettext_lazy("kept posts")
        constraints = [
            models.UniqueConstraint(
                fields=["generation", "number"], condition=Q(is_edited=False), name="kept_once_as_written"
            ),
        ]

    def __str__(self) -> str:
        return self.text[:80]


class PostReport(models.Model):
    """A post that somebody reported to the owner of the bot and to the administrator."""

    class Reason(models.TextChoices):
        HURTFUL = "hurtful", gettext_lazy("It insults or threatens somebody")
        PERSONAL = "personal", gettext_lazy("It has personal data")
        COPY = "copy", gettext_lazy("It copies a real post")
        FALSE = "false", gettext_lazy("It claims something false about a real person")
        OTHER = "other", gettext_lazy("Something else")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, verbose_name=gettext_lazy("id"))
    model = models.ForeignKey(
        "models_app.TrainedModel", on_delete=models.CASCADE, related_name="reports", verbose_name=gettext_lazy("model")
    )
    reporter = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="post_reports",
        verbose_name=gettext_lazy("reported by"),
    )
    generation = models.ForeignKey(
        "models_app.Generation",
        on_delete=models.SET_NULL,
        null=True,
        related_name="reports",
        verbose_name=gettext_lazy("generation"),
    )
    number = models.PositiveIntegerField(verbose_name=gettext_lazy("number"))
    text = models.TextField(verbose_name=gettext_lazy("text"))
    reason = models.CharField(max_length=16, choices=Reason.choices, verbose_name=gettext_lazy("reason"))
    note = models.CharField(max_length=500, blank=True, verbose_name=gettext_lazy("note"))
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=gettext_lazy("created at"))
    # None while nobody has dealt with it.
    closed_at = models.DateTimeField(null=True, blank=True, verbose_name=gettext_lazy("closed at"))

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = gettext_lazy("reported post")
        verbose_name_plural = gettext_lazy("reported posts")
        constraints = [
            models.UniqueConstraint(fields=["reporter", "generation", "number"], name="reported_once_per_person"),
        ]

    def __str__(self) -> str:
        return self.text[:80]
