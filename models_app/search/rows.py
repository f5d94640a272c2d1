from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy

from botfactory.words.translation import restored


class Search(models.Model):
    """A search for the best settings of a training: what its trials have in common, and the space they try."""

    class Kind(models.TextChoices):
        BOT = "bot", gettext_lazy("A bot")
        BASE = "base", gettext_lazy("A base model")

    class Sampler(models.TextChoices):
        """How the settings of the next trial are chosen."""

        TPE = "tpe", gettext_lazy("TPE: learns from the trials so far")
        RANDOM = "random", gettext_lazy("Random")

    class Pruner(models.TextChoices):
        """When a trial ends early."""

        MEDIAN = "median", gettext_lazy("Median: worse than half of the trials so far")
        HYPERBAND = "hyperband", gettext_lazy("Hyperband: only the best third goes on")
        NONE = "none", gettext_lazy("Never")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # None for a search for base models, which belongs to the house.
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="searches", null=True)
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    corpus = models.ForeignKey("tweets.Corpus", on_delete=models.CASCADE, related_name="searches", null=True)
    # The model that each trial starts from. The name outlives the row; it's blank for initial weights.
    start = models.ForeignKey("models_app.TrainedModel", on_delete=models.SET_NULL, related_name="searches", null=True)
    start_name = models.CharField(max_length=240, blank=True)
    # What all trials have in common (search/bots.py, search/bases.py), and what they try (search/space.py).
    settings = models.JSONField(default=dict)
    space = models.JSONField(default=dict)
    sampler = models.CharField(max_length=16, choices=Sampler.choices, default=Sampler.TPE)
    pruner = models.CharField(max_length=16, choices=Pruner.choices, default=Pruner.MEDIAN)
    wanted = models.PositiveIntegerField()
    # How many trials run at once, if there are enough workers.
    at_once = models.PositiveIntegerField(default=1)
    seed = models.PositiveBigIntegerField()
    # Name of a setting -> how much it matters, from 0 to 1; empty before there are enough trials.
    importance = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def names(self) -> list[str]:
        """Return the settings that the trials vary, in the order of columns. Postgres keeps no order in JSON."""
        return sorted(self.space)

    @property
    def steps(self) -> int:
        """Return after how many epochs or validations a trial ends at the latest."""
        return int(self.settings["steps"])


class Lane(models.Model):
    """A job that runs trials of a search, one after the other."""

    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="lanes")
    job = models.OneToOneField("jobs.Job", on_delete=models.CASCADE, related_name="lane")

    def __str__(self) -> str:
        return f"{self.search}: {self.job_id}"


class Trial(models.Model):
    """One training of a search. Optuna reads and writes it through search/storage.py."""

    class State(models.TextChoices):
        WAITING = "waiting", gettext_lazy("Waiting")
        RUNNING = "running", gettext_lazy("Running")
        COMPLETE = "complete", gettext_lazy("Complete")
        PRUNED = "pruned", gettext_lazy("Ended early")
        FAILED = "failed", gettext_lazy("Failed")

    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="trials")
    # From 0, without gaps.
    number = models.PositiveIntegerField()
    # The job that runs it, or ran it last.
    job = models.ForeignKey("jobs.Job", on_delete=models.SET_NULL, related_name="trials", null=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.RUNNING)
    parameters = models.JSONField(default=dict)
    # On the held-out posts: of the result, or of the last epoch of a trial that ended early.
    bits_per_character = models.FloatField(null=True)
    # The same after each epoch or validation, by its number from 1.
    points = models.JSONField(default=dict)
    # Seconds of training, and how many numbers the network has.
    seconds = models.FloatField(default=0.0)
    weights = models.PositiveBigIntegerField(null=True)
    # Why it failed, in English, and how that is translated.
    why = models.TextField(blank=True)
    words = models.JSONField(default=dict, blank=True)
    # What samplers and pruners note.
    attributes = models.JSONField(default=dict, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["search", "number"]
        constraints = [models.UniqueConstraint(fields=["search", "number"], name="trial_number_once")]

    def __str__(self) -> str:
        return f"{self.search} #{self.number}"

    @property
    def shown_why(self) -> str:
        """Return why it failed, in the active language."""
        return restored(self.why, self.words)
