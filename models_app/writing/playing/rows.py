from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy


class Game(models.Model):
    """A round of "real or bot?" with one bot. Once it's finished, it counts for the bot's figure."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, verbose_name=gettext_lazy("id"))
    model = models.ForeignKey(
        "models_app.TrainedModel", on_delete=models.CASCADE, related_name="games", verbose_name=gettext_lazy("model")
    )
    player = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="games", verbose_name=gettext_lazy("player")
    )
    # {"real": the key of a Post} or {"bot": a text}, in the order of the game. Real texts stay in the corpus only.
    items = models.JSONField(default=list, verbose_name=gettext_lazy("posts"))
    # For each answered post, whether the player took it for real.
    answers = models.JSONField(default=list, verbose_name=gettext_lazy("answers"))
    # The number of right answers; None while the game goes on.
    right = models.PositiveSmallIntegerField(null=True, blank=True, verbose_name=gettext_lazy("right answers"))
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=gettext_lazy("created at"))

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = gettext_lazy("game")
        verbose_name_plural = gettext_lazy("games")

    def __str__(self) -> str:
        return str(self.pk)
