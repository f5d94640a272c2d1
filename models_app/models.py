from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from botfactory.jobs.models import Job
from botfactory.words import counted
from models_app.ml import config
from models_app.ml.sampling.outcome import Refused
from tweets.models import Corpus


class TrainedModel(models.Model):
    """A network with its weights under CHECKPOINTS_DIR: a version of the base model, or what a person trained."""

    class Origin(models.TextChoices):
        """How a version of the base model came here. What a person trained has none, also while it is the base."""

        SHIPPED = "shipped", "Shipped with the product"
        UPLOADED = "uploaded", "Uploaded"
        TRAINED = "trained", "Trained here"

    class Visibility(models.TextChoices):
        """Who can find it beside its owner; sharing.py says what they may."""

        PRIVATE = "private", "Private"
        UNLISTED = "unlisted", "By link"
        PUBLIC = "public", "In the gallery"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Nobody owns the models that come with the installation.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="trained_models", null=True, blank=True
    )
    name = models.CharField(max_length=80)
    is_base = models.BooleanField(default=False, verbose_name="base model")
    origin = models.CharField(max_length=16, choices=Origin.choices, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    # What it learned from, and what it was before. The names outlive the rows.
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="children")
    parent_name = models.CharField(max_length=170, blank=True)
    corpus = models.ForeignKey(Corpus, on_delete=models.SET_NULL, null=True, blank=True, related_name="trained_models")
    corpus_name = models.CharField(max_length=80, blank=True)
    job = models.OneToOneField(Job, on_delete=models.SET_NULL, null=True, blank=True, related_name="trained_model")
    posts = models.PositiveIntegerField(default=0)
    characters = models.PositiveIntegerField(default=0)
    # The files, relative to CHECKPOINTS_DIR
    directory = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    network = models.JSONField(default=dict)
    training = models.JSONField(default=dict, blank=True)
    history = models.JSONField(default=list, blank=True)
    best_epoch = models.PositiveIntegerField(null=True, blank=True)
    bits_per_character = models.FloatField(null=True, blank=True)
    # A ReportCard (ml/evaluation/report_card.py), empty if there is none. Each copy's `post` is the learned Post's key.
    report = models.JSONField(default=dict, blank=True, verbose_name="report card")
    seconds = models.FloatField(null=True, blank=True)
    characters_per_second = models.FloatField(null=True, blank=True)
    # How many cores it had for that, on average; None where that is not known or says nothing, as on a GPU.
    cores_used = models.FloatField(null=True, blank=True, editable=False)
    # Of its files, as they were written: what counts against its owner's limit.
    stored_bytes = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    visibility = models.CharField(max_length=16, choices=Visibility.choices, default=Visibility.PRIVATE, db_index=True)
    # The end of the address by which an unlisted one is found; of no other.
    link = models.CharField(max_length=43, null=True, unique=True, editable=False)  # noqa: DJ001

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="model_name_once"),
            models.UniqueConstraint(fields=["is_base"], condition=Q(is_base=True), name="one_base_model"),
        ]

    def __str__(self) -> str:
        return self.full_name

    def get_absolute_url(self) -> str:
        from django.urls import reverse

        return reverse("model", args=[self.pk])

    def get_shared_url(self) -> str:
        """The page that others see; "" where it is private."""
        from django.urls import reverse

        if self.visibility == self.Visibility.UNLISTED:
            return reverse("shared_by_link", args=[self.link])
        return reverse("shared", args=[self.pk]) if self.visibility == self.Visibility.PUBLIC else ""

    @property
    def report_rows(self) -> list[dict[str, Any]]:
        """The shares of the report card, each with its name and what it says."""
        rows = [
            ("novelty", "new posts", "no copies of a learned post"),
            ("voice", "the person’s voice", "taken for the person’s by a classifier of spelling"),
            ("real_words", "real words", "words that are in the learned posts or common in the base model’s"),
        ]
        return [{"name": name, "hint": hint, **self.report[key]} for key, name, hint in rows if key in self.report]

    @property
    def report_sentence(self) -> str:
        """The report card in one line; empty where there is none."""
        if not self.report:
            return ""
        shares = [
            f"{row['name']} {_percent(row['bot'])} (held-out posts {_percent(row['held_out'])}, base model "
            f"{_percent(row['base'])})"
            for row in self.report_rows
        ]
        bits = f"{self.report['bits_per_character']:.3f} bits a character (base model "
        return "; ".join([f"{bits}{self.report['base_bits_per_character']:.3f})", *shares])

    @property
    def parody_label(self) -> str:
        """What stands beside everything that the model writes."""
        account = self.corpus.account if self.corpus else ""
        return f"AI parody of {account}, not by {account}." if account else "Written by a model, not by the person."

    @property
    def full_name(self) -> str:
        """`owner/name`, or the name alone where nobody owns it."""
        return f"{self.owner.username}/{self.name}" if self.owner else self.name


class TrainingMachine(models.Model):
    """A machine that trains, as the process that waits there for trainings last found it (machines.py)."""

    machine = models.CharField(max_length=64, primary_key=True)
    # As in Job.worker: containers of one machine have names of their own.
    host = models.CharField(max_length=255)
    cores = models.PositiveIntegerField()
    # How many a training uses where nothing else runs.
    cores_used = models.FloatField()
    # How many it had while this was measured, when other work wanted `others`.
    cores_had = models.FloatField()
    others = models.FloatField()
    nice = models.SmallIntegerField()
    # Symbols that a core learns from in a second, about as many as characters.
    speed = models.FloatField()
    measured_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.host


class BaseChange(models.Model):
    """A model became the base model: which, when, by whom and how. The names outlive what they name."""

    class How(models.TextChoices):
        SHIPPED = "shipped", "Came with the product"
        PROMOTED = "promoted"
        ROLLED_BACK = "rolled_back", "Rolled back"

    at = models.DateTimeField(default=timezone.now, editable=False)
    how = models.CharField(max_length=16, choices=How.choices)
    model = models.ForeignKey(TrainedModel, on_delete=models.SET_NULL, null=True, related_name="base_changes")
    model_name = models.CharField(max_length=240)
    sha256 = models.CharField(max_length=64)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    # Blank for what the product did by itself.
    by_name = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.get_how_display()}: {self.model_name}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


class Generation(models.Model):
    """Posts that a model wrote for a person, and how they were asked for."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    model = models.ForeignKey(TrainedModel, on_delete=models.CASCADE, related_name="generations")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="generations")
    sampling = models.JSONField(default=dict)
    posts = models.JSONField(default=list)
    # How many more were drawn and not given out, by reason: a Refused. Empty in those of earlier versions.
    refused = models.JSONField(default=dict, blank=True)
    seconds = models.FloatField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{counted(len(self.posts), 'post')} by {self.model}"

    @property
    def missing(self) -> int:
        """How many posts fewer it has than could be had."""
        count = int(self.sampling.get("count", 0))
        return max(0, (min(1, count) if self.is_greedy else count) - len(self.posts))

    @property
    def one_for_all(self) -> str:
        """Why there is one post where several were asked for; empty where that is not so."""
        is_one_of_several = self.is_greedy and len(self.posts) == 1 < int(self.sampling.get("count", 0))
        return config.ONE_FOR_ALL if is_one_of_several else ""

    @property
    def is_greedy(self) -> bool:
        """True where all posts are the same."""
        # Rows of every earlier version are read, whatever they lack.
        return config.is_greedy(self.sampling.get("temperature"), self.sampling.get("top_k"))

    @property
    def refusals(self) -> Refused:
        return Refused.from_dict(self.refused)

    @property
    def refused_because(self) -> list[str]:
        """For each reason how many were refused, in words."""
        asked = self.sampling
        return self.refusals.reasons(int(asked.get("max_characters", 280)), has_prompt=bool(asked.get("prompt")))
