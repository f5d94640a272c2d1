from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from botfactory.jobs.place import Place
from botfactory.jobs.states import ENDED, WORDS, State
from botfactory.words.translation import restored

#: How long the work folder of an unsuccessful job is kept for a retry.
KEEP_WORK_HOURS: Final = 24


class Job(models.Model):
    """One piece of long work, queued, running or ended. The row is the truth; the broker only rings."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, verbose_name=_("id"))
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="jobs", verbose_name=_("owner")
    )
    kind = models.CharField(max_length=32, verbose_name=_("kind"))
    queue = models.CharField(max_length=32, verbose_name=_("queue"))
    title = models.CharField(max_length=200, verbose_name=_("title"))
    state = models.CharField(
        max_length=16,
        choices=[(state.value, _(word)) for state, word in WORDS.items()],
        default=State.QUEUED,
        verbose_name=_("state"),
    )
    # What the job works on, so that pages and deletions find it (JobKind.subject): the id of a corpus.
    subject_id = models.UUIDField(null=True, blank=True, db_index=True, verbose_name=_("subject"))
    arguments = models.JSONField(default=dict, blank=True, verbose_name=_("arguments"))
    progress = models.JSONField(default=dict, blank=True, verbose_name=_("progress"))
    result = models.JSONField(default=dict, blank=True, verbose_name=_("result"))
    error_code = models.CharField(max_length=64, blank=True, verbose_name=_("error code"))
    error_message = models.TextField(blank=True, verbose_name=_("error message"))
    # How `title` and `error_message` are translated: what botfactory.words.translation.stored returned for each.
    words = models.JSONField(default=dict, blank=True, editable=False, verbose_name=_("translation of the texts"))
    stop_requested = models.BooleanField(default=False, verbose_name=_("stop requested"))
    # Counts the claims. A worker with an older number has lost the job and must not write to it.
    attempt = models.PositiveIntegerField(default=0, verbose_name=_("attempt"))
    # Counts the losses of its worker since it last got on (events.NO_PROGRESS, JobHandle.saved).
    interruptions = models.PositiveIntegerField(default=0, verbose_name=_("interruptions"))
    # The process that holds it or held it last (processes.name_of).
    worker = models.CharField(max_length=255, blank=True, verbose_name=_("worker"))
    last_sequence = models.PositiveIntegerField(default=0, verbose_name=_("number of events"))
    # Higher goes first, before everybody's turn: the administrator moved it to the front. Below 0 it gives way.
    priority = models.IntegerField(default=0, verbose_name=_("priority"))
    # What it may use, by limit (accounts/limits.py). Counts against its owner's limits until it has ended.
    reserved = models.JSONField(default=dict, blank=True, verbose_name=_("reserved amounts"))
    # A command runs it in its own process, so it takes no slot of its queue.
    at_terminal = models.BooleanField(default=False, verbose_name=_("at a terminal"))
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=_("created at"))
    available_at = models.DateTimeField(default=timezone.now, verbose_name=_("available at"))
    rung_at = models.DateTimeField(null=True, blank=True, verbose_name=_("last announced at"))
    started_at = models.DateTimeField(null=True, blank=True, verbose_name=_("started at"))
    claimed_at = models.DateTimeField(null=True, blank=True, verbose_name=_("claimed at"))
    heartbeat_at = models.DateTimeField(null=True, blank=True, verbose_name=_("heartbeat at"))
    finished_at = models.DateTimeField(null=True, blank=True, verbose_name=_("finished at"))
    # When to send the mail about its end, or to try again; None if there is none to send (jobs/mails.py).
    mail_due_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("mail due at"))

    #: For pages.
    KEEP_WORK_HOURS = KEEP_WORK_HOURS

    #: Its place in the queue, if `events.placed` has set it.
    place: Place | None = None

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        indexes = [
            models.Index(fields=["queue", "state", "created_at"], name="job_queue_state"),
            models.Index(fields=["owner", "-created_at"], name="job_owner_created"),
            # For the few that workers hold, among all that have ended.
            models.Index(fields=["state", "owner"], name="job_state_owner"),
            models.Index(fields=["mail_due_at"], condition=Q(mail_due_at__isnull=False), name="job_mail_due"),
        ]

    def __str__(self) -> str:
        return f"{self.shown_title} ({self.get_state_display()})"

    def get_absolute_url(self) -> str:
        from django.urls import reverse

        return reverse("job", args=[self.pk])

    @property
    def shown_title(self) -> str:
        """Return the title in the active language."""
        return restored(self.title, self.words.get("title", {}))

    @property
    def shown_error(self) -> str:
        """Return the error's message in the active language, or ""."""
        return restored(self.error_message, self.words.get("error", {}))

    @property
    def shown_progress(self) -> dict[str, Any]:
        """Return the progress with its message in the active language."""
        return _shown(self.progress)

    @property
    def is_ended(self) -> bool:
        return self.state in ENDED

    @property
    def ends_early(self) -> bool:
        """Return whether it's being cancelled or its training stopped, so how far the whole is says nothing."""
        is_stopping = self.state == State.RUNNING and self.stop_requested and self.progress.get("phase") == "training"
        return self.state == State.CANCELLING or is_stopping

    @property
    def took(self) -> timedelta | None:
        """Return how long an ended job took, from its first start on; None if it never started."""
        return self.finished_at - self.started_at if self.started_at and self.finished_at else None

    @property
    def kept_until(self) -> datetime | None:
        """Return until when an ended job keeps its work for a retry; None if it can't be tried again."""
        if self.state not in {State.FAILED, State.CANCELLED} or self.finished_at is None:
            return None
        return self.finished_at + timedelta(hours=KEEP_WORK_HOURS)


def _shown(values: dict[str, Any]) -> dict[str, Any]:
    """Return stored values with their `message` in the active language; `words` are what `stored` returned for it."""
    shown = {name: value for name, value in values.items() if name != "words"}
    if "message" in shown:
        shown["message"] = restored(shown["message"], values.get("words", {}))
    return shown


class JobEvent(models.Model):
    """Something that happened in a job, in order: `sequence` counts from 1 within the job without gaps."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events", verbose_name=_("job"))
    sequence = models.PositiveIntegerField(verbose_name=_("sequence"))
    kind = models.CharField(max_length=32, verbose_name=_("kind"))
    payload = models.JSONField(default=dict, verbose_name=_("payload"))
    created_at = models.DateTimeField(default=timezone.now, verbose_name=_("created at"))

    class Meta:
        ordering = ["job", "sequence"]
        verbose_name = _("event of a job")
        verbose_name_plural = _("events of a job")
        constraints = [models.UniqueConstraint(fields=["job", "sequence"], name="job_event_sequence")]

    def __str__(self) -> str:
        return f"{self.job_id}#{self.sequence} {self.kind}"

    @property
    def shown_payload(self) -> dict[str, Any]:
        """Return the payload with its message in the active language."""
        return _shown(self.payload)

    def as_json(self) -> dict[str, Any]:
        return {
            "sequence": self.sequence,
            "kind": self.kind,
            "payload": self.shown_payload,
            "at": self.created_at.isoformat(),
        }


class Turn(models.Model):
    """When the workers of a queue last served a person. Jobs deleted since then count too."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="turns")
    queue = models.CharField(max_length=32)
    served_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "queue"], name="turn_once")]

    def __str__(self) -> str:
        return f"{self.owner} in {self.queue}: {self.served_at}"
