from __future__ import annotations

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy

#: The longest tag, in characters.
LONGEST_TAG: Final = 24


class BotTag(models.Model):
    """A word by which people find a bot in the gallery, in the form of `tags.normalised`."""

    model = models.ForeignKey(
        "models_app.TrainedModel", on_delete=models.CASCADE, related_name="tags", verbose_name=gettext_lazy("model")
    )
    name = models.CharField(max_length=LONGEST_TAG, db_index=True, verbose_name=gettext_lazy("name"))

    class Meta:
        # As their owner typed them.
        ordering = ["pk"]
        verbose_name = gettext_lazy("tag")
        verbose_name_plural = gettext_lazy("tags")
        constraints = [models.UniqueConstraint(fields=["model", "name"], name="tag_once_per_model")]

    def __str__(self) -> str:
        return self.name
