"""The rows of models: bots and base models."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from math import ceil, floor
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from botfactory.jobs.models import Job
from models_app.bots.interval import wilson
from models_app.ml import config
from models_app.ml.sampling.sense import SENSE_ERROR
from tweets.models import Corpus


class Tier(models.TextChoices):
    """What a model is made for: posts that make sense (fluent), or quick trainings. Follows from its network."""

    QUICK = "quick", gettext_lazy("Quick")
    FLUENT = "fluent", gettext_lazy("Fluent")

    @classmethod
    def of(cls, network: Mapping[str, Any]) -> Tier:
        """Return the tier of a network with these values."""
        return cls.FLUENT if network.get("kind") == "llama" else cls.QUICK


class TrainedModel(models.Model):
    """A network with its weights under CHECKPOINTS_DIR: a version of the base model, or a bot that a person trained."""

    class Origin(models.TextChoices):
        """How a version of the base model was added. A person's bot has none, even while it is the base model."""

        SHIPPED = "shipped", gettext_lazy("Shipped with the product")
        UPLOADED = "uploaded", gettext_lazy("Uploaded")
        TRAINED = "trained", gettext_lazy("Trained here")

    class Visibility(models.TextChoices):
        """Who can find it besides its owner; `sharing.rights` decides what they may do."""

        PRIVATE = "private", gettext_lazy("Private")
        UNLISTED = "unlisted", gettext_lazy("By link")
        PUBLIC = "public", gettext_lazy("In the gallery")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, verbose_name=gettext_lazy("id"))
    # None for versions of the base model.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="trained_models",
        null=True,
        blank=True,
        verbose_name=gettext_lazy("owner"),
    )
    name = models.CharField(max_length=80, verbose_name=gettext_lazy("name"))
    is_base = models.BooleanField(default=False, verbose_name=gettext_lazy("base model"))
    tier = models.CharField(
        max_length=16, choices=Tier.choices, default=Tier.QUICK, editable=False, verbose_name=gettext_lazy("tier")
    )
    origin = models.CharField(max_length=16, choices=Origin.choices, blank=True, verbose_name=gettext_lazy("origin"))
    retired_at = models.DateTimeField(null=True, blank=True, verbose_name=gettext_lazy("retired at"))
    # The model that it started from, and the posts that it learned. The names outlive the rows.
    parent = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="children",
        verbose_name=gettext_lazy("starting point"),
    )
    parent_name = models.CharField(max_length=240, blank=True, verbose_name=gettext_lazy("started from"))
    corpus = models.ForeignKey(
        Corpus,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="trained_models",
        verbose_name=gettext_lazy("corpus"),
    )
    corpus_name = models.CharField(max_length=80, blank=True, verbose_name=gettext_lazy("name of the corpus"))
    # [network, handle] of each account whose posts it, or a model that it started from, learned (ancestry.py). An
    # opt-out finds it by them when those are deleted.
    learned_accounts = models.JSONField(
        default=list, blank=True, editable=False, verbose_name=gettext_lazy("accounts whose posts it learned")
    )
    job = models.OneToOneField(
        Job,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="trained_model",
        verbose_name=gettext_lazy("training job"),
    )
    posts = models.PositiveIntegerField(default=0, verbose_name=gettext_lazy("posts"))
    characters = models.PositiveIntegerField(default=0, verbose_name=gettext_lazy("characters"))
    # The files, relative to CHECKPOINTS_DIR
    directory = models.CharField(max_length=200, verbose_name=gettext_lazy("directory"))
    sha256 = models.CharField(max_length=64, verbose_name=gettext_lazy("sha256"))
    network = models.JSONField(default=dict, verbose_name=gettext_lazy("network"))
    training = models.JSONField(default=dict, blank=True, verbose_name=gettext_lazy("settings of the training"))
    history = models.JSONField(default=list, blank=True, verbose_name=gettext_lazy("epochs"))
    # Its weights are those of this epoch, or lie on the way there from those that it started from: at `interpolation`,
    # from 0 to 1. None if early versions trained it: then the epoch is the best one, wherever its weights are.
    kept_epoch = models.PositiveIntegerField(null=True, blank=True, verbose_name=gettext_lazy("kept epoch"))
    interpolation = models.FloatField(null=True, blank=True, verbose_name=gettext_lazy("part of the way to it"))
    bits_per_character = models.FloatField(null=True, blank=True, verbose_name=gettext_lazy("bits per character"))
    # Written at the end of its training or, by an instant bot, when its owner shared it (sharing/first_posts.py).
    samples = models.JSONField(default=list, blank=True, editable=False, verbose_name=gettext_lazy("sample posts"))
    # Words that its person writes more often than others, the most telling one first. Only its owner sees them.
    topics = models.JSONField(default=list, blank=True, editable=False, verbose_name=gettext_lazy("topics"))
    # A ReportCard (ml/evaluation/report_card.py), empty if there is none. Each copy's `post` is the learned Post's key.
    report = models.JSONField(default=dict, blank=True, verbose_name=gettext_lazy("report card"))
    seconds = models.FloatField(null=True, blank=True, verbose_name=gettext_lazy("seconds"))
    characters_per_second = models.FloatField(null=True, blank=True, verbose_name=gettext_lazy("characters per second"))
    # The size of its files when they were written, which counts against its owner's limit.
    stored_bytes = models.PositiveBigIntegerField(default=0, editable=False, verbose_name=gettext_lazy("stored bytes"))
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=gettext_lazy("created at"))
    visibility = models.CharField(
        max_length=16,
        choices=Visibility.choices,
        default=Visibility.PRIVATE,
        db_index=True,
        verbose_name=gettext_lazy("visibility"),
    )
    # The last part of the address of an unlisted model; None for others.
    link = models.CharField(max_length=43, null=True, unique=True, editable=False, verbose_name=gettext_lazy("link"))  # noqa: DJ001
    # Whether others that it's shared with may play the guessing game, which shows real posts.
    is_game_open = models.BooleanField(default=False, editable=False, verbose_name=gettext_lazy("game for others"))
    # Whether others that it's shared with may let it write in their browsers, which get its weights.
    is_browser_open = models.BooleanField(
        default=False, editable=False, verbose_name=gettext_lazy("in browsers of others")
    )
    # The one that writes on the front page (sharing/demo.py).
    is_demo = models.BooleanField(default=False, editable=False, verbose_name=gettext_lazy("on the front page"))
    # Posts of it that a list shows (showing.py); not in the database.
    shown_posts: tuple[str, ...] = ()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = gettext_lazy("trained model")
        verbose_name_plural = gettext_lazy("trained models")
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="model_name_once"),
            models.UniqueConstraint(fields=["tier"], condition=Q(is_base=True), name="one_base_model_per_tier"),
            models.UniqueConstraint(fields=["is_demo"], condition=Q(is_demo=True), name="one_demo_bot"),
        ]

    def __str__(self) -> str:
        return self.full_name

    def get_absolute_url(self) -> str:
        from django.urls import reverse

        return reverse("model", args=[self.pk])

    def get_shared_url(self) -> str:
        """Return the address of the page that others see, or "" for a private model."""
        from django.urls import reverse

        if self.visibility == self.Visibility.UNLISTED:
            return reverse("shared_by_link", args=[self.link])
        return reverse("shared", args=[self.pk]) if self.visibility == self.Visibility.PUBLIC else ""

    @property
    def reads_tokens(self) -> bool:
        """Return whether it reads words and parts of words instead of bytes."""
        traits = config.traits_of(self.network)
        return traits["kind"] == "llama" or traits["tokens"]

    @property
    def is_adapted(self) -> bool:
        """Return whether it has learned posts. A pretrained model that was added as it is hasn't."""
        is_first = self.tier == Tier.FLUENT and self.origin == self.Origin.UPLOADED
        return not is_first or "minutes" in self.training

    @property
    def losses(self) -> list[float]:
        """Return the validation loss after each epoch, or after each part for a fluent bot."""
        return [epoch["validation_loss"] for epoch in self.history if epoch.get("validation_loss") is not None]

    @property
    def least_loss(self) -> float | None:
        return min(self.losses, default=None)

    @property
    def percent_of_way(self) -> int:
        """Return how far its weights are on the way to those of the kept epoch; 100 if early versions didn't say."""
        return 100 if self.interpolation is None else round(100 * self.interpolation)

    @property
    def report_rows(self) -> list[dict[str, Any]]:
        """Return the shares of the report card, each with a name and an explanation."""
        rows = [
            ("novelty", _("new posts"), _("not copies of a learned post")),
            ("voice", _("the person’s voice"), _("posts that a style detector takes for the person’s own")),
            ("real_words", _("real words"), _("words from the learned posts, or common words of the base model")),
        ]
        return [{"name": name, "hint": hint, **self.report[key]} for key, name, hint in rows if key in self.report]

    @property
    def told_apart_sentence(self) -> str:
        """Return how often a classifier tells the bot's posts from real ones, or "" if the report card doesn't say."""
        found = self.report.get("told_apart")
        # Rows that came in ZIPs of early versions were never checked.
        if not found or found["posts"] < 1 or not 0 <= found["share"] <= 1:
            return ""
        sentence = _(
            "A classifier correctly judged %(times)s out of 100 posts as real or by the bot. 50 is guessing. Over many "
            "posts, it’d probably get between %(low)s and %(high)s right (95%% confidence)."
        )
        answers = 2 * found["posts"]
        low, high = wilson(found["share"] * answers, answers)
        # Rounded outwards, so the ends are never the same number.
        ends = {"low": floor(100 * low), "high": ceil(100 * high)}
        return sentence % {"times": round(100 * found["share"]), **ends}

    @property
    def sense_sentence(self) -> str:
        """Return how much sense its posts make, or "" if the report card doesn't say."""
        sense = self.report.get("sense")
        if sense is None:
            return ""
        sentence = _("Readers would probably give its posts %(sense)s out of 3 for sense, give or take %(error)s.")
        return sentence % {"sense": number_format(sense, 1), "error": number_format(SENSE_ERROR, 2)}

    @property
    def report_sentence(self) -> str:
        """Return the report card as one line of English for the terminal, or "" if there is none."""
        if not self.report:
            return ""
        shares = [
            f"{row['name']} {_percent(row['bot'])} (held-out posts {_percent(row['held_out'])}, base model "
            f"{_percent(row['base'])})"
            for row in self.report_rows
        ]
        bits = f"{self.report['bits_per_character']:.3f} bits per character (base model "
        parts = [f"{bits}{self.report['base_bits_per_character']:.3f})", *shares]
        if told := self.report.get("told_apart"):
            parts.append(f"told apart {_percent(told['share'])} (guessing: 50%)")
        if (sense := self.report.get("sense")) is not None:
            parts.append(f"sense {sense:.1f} of 3")
        return "; ".join(parts)

    @property
    def usual(self) -> config.Usual:
        """Return how it writes unless somebody chooses otherwise."""
        return config.usual(self.network.get("kind", "lstm"))

    @property
    def parody_label(self) -> str:
        """Return the label to show beside everything that the model writes."""
        if self.corpus and self.corpus.is_example:
            return _("Written by a model. The person is invented.")
        if self.corpus and self.corpus.basis == self.corpus.Basis.OWN:
            return _("Written by my AI bot, not by me.")
        account = self.parodied
        if not account:
            return _("Written by a model, not by the person.")
        return _("AI parody of %(account)s, not by %(account)s.") % {"account": account}

    @property
    def parodied(self) -> str:
        """Return the account of which it is a parody, or "" if it's unknown or the owner's own."""
        corpus = self.corpus
        return corpus.account if corpus and corpus.basis != corpus.Basis.OWN else ""

    @property
    def full_name(self) -> str:
        """Return `owner/name`, or the name alone if nobody owns it."""
        return f"{self.owner.username}/{self.name}" if self.owner else self.name


class BaseChange(models.Model):
    """A change of a tier's base model: which, when, by whom and how. The names outlive the rows that they name."""

    class How(models.TextChoices):
        SHIPPED = "shipped", gettext_lazy("Came with the product")
        PROMOTED = "promoted", gettext_lazy("Promoted")
        ROLLED_BACK = "rolled_back", gettext_lazy("Rolled back")

    at = models.DateTimeField(default=timezone.now, editable=False)
    how = models.CharField(max_length=16, choices=How.choices)
    tier = models.CharField(max_length=16, choices=Tier.choices, default=Tier.QUICK)
    model = models.ForeignKey(TrainedModel, on_delete=models.SET_NULL, null=True, related_name="base_changes")
    model_name = models.CharField(max_length=240)
    sha256 = models.CharField(max_length=64)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    # Blank if the product did it without a person.
    by_name = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.get_how_display()}: {self.model_name}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
