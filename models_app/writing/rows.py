"""The rows of what models wrote."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy, ngettext

from botfactory.words.translation import grouped
from models_app.bots import refusals
from models_app.bots.rows import TrainedModel
from models_app.ml import config
from models_app.ml.sampling.outcome import Refused


class Generation(models.Model):
    """Posts that a model wrote for a person, with the settings."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, verbose_name=gettext_lazy("id"))
    model = models.ForeignKey(
        TrainedModel, on_delete=models.CASCADE, related_name="generations", verbose_name=gettext_lazy("model")
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="generations",
        verbose_name=gettext_lazy("owner"),
    )
    sampling = models.JSONField(default=dict, verbose_name=gettext_lazy("settings"))
    posts = models.JSONField(default=list, verbose_name=gettext_lazy("posts"))
    # The number of rejected drafts by reason (a Refused). Empty in rows of early versions.
    refused = models.JSONField(default=dict, blank=True, verbose_name=gettext_lazy("rejected drafts"))
    seconds = models.FloatField(verbose_name=gettext_lazy("seconds"))
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=gettext_lazy("created at"))

    #: What is known of each post, where it has just been written (sampling.sense.measured). The row doesn't keep it.
    measured: Sequence[Mapping[str, float]] = ()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = gettext_lazy("generation")
        verbose_name_plural = gettext_lazy("generations")

    def __str__(self) -> str:
        count = len(self.posts)
        text = ngettext("%(count)s post by %(model)s", "%(count)s posts by %(model)s", count)
        return text % {"count": grouped(count), "model": self.model}

    @property
    def shown(self) -> list[dict[str, Any]]:
        """Return each post, and the id under which it is kept if it is."""
        kept = {post.number: post.pk for post in self.kept_posts.all() if not post.is_edited}
        return [{"text": post, "kept": kept.get(number)} for number, post in enumerate(self.posts)]

    @property
    def missing(self) -> int:
        """Return how many of the requested posts are missing."""
        count = int(self.sampling.get("count", 0))
        return max(0, (min(1, count) if self.is_greedy else count) - len(self.posts))

    @property
    def one_for_all(self) -> str:
        """Return why there is one post although several were requested, or "" if that isn't so."""
        is_one_of_several = self.is_greedy and len(self.posts) == 1 < int(self.sampling.get("count", 0))
        return refusals.one_for_all() if is_one_of_several else ""

    @property
    def is_greedy(self) -> bool:
        """Return whether all posts would be the same."""
        # Rows of early versions may lack these settings.
        return config.is_greedy(self.sampling.get("temperature"), self.sampling.get("top_k"))

    @property
    def refusals(self) -> Refused:
        return Refused.from_dict(self.refused)

    @property
    def refused_because(self) -> list[str]:
        """Return the number of rejected drafts for each reason, in words."""
        asked = self.sampling
        longest, has_prompt = int(asked.get("max_characters", 280)), bool(asked.get("prompt"))
        return refusals.reasons(self.refusals, longest, has_prompt=has_prompt)
