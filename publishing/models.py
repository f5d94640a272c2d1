from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from botfactory.words.translation import restored
from models_app.bots.rows import TrainedModel
from models_app.writing.rows import Generation
from publishing import wall_times
from publishing.networks.base import Network
from publishing.networks.registry import network_of


class Queue(models.Model):
    """When a bot's posts go out, and how they are labelled. A bot without a row publishes nothing."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, verbose_name=_("id"))
    model = models.OneToOneField(
        TrainedModel, on_delete=models.CASCADE, related_name="publishing", verbose_name=_("bot")
    )
    # The name of a time zone (IANA). Times of posts are times of the wall there.
    zone = models.CharField(max_length=64, default="UTC", verbose_name=_("time zone"))
    # So many posts a day between these hours, one at random in each part of that time.
    per_day = models.PositiveSmallIntegerField(default=2, verbose_name=_("posts a day"))
    opens = models.PositiveSmallIntegerField(default=9, verbose_name=_("from hour"))
    closes = models.PositiveSmallIntegerField(default=21, verbose_name=_("until hour"))
    # The most posts of one day, with those that have a time of their own.
    daily_maximum = models.PositiveSmallIntegerField(default=6, verbose_name=_("most posts a day"))
    # Nothing goes out between these hours, which may span midnight; equal ones are none.
    quiet_from = models.PositiveSmallIntegerField(default=22, verbose_name=_("quiet from hour"))
    quiet_until = models.PositiveSmallIntegerField(default=7, verbose_name=_("quiet until hour"))
    # So many proposals a day of the wall by itself, 0 for none.
    proposals_a_day = models.PositiveSmallIntegerField(default=0, verbose_name=_("proposals a day"))
    # What they are about (a fluent bot) or how they begin (a quick one), one a line. One is drawn each time.
    topics = models.TextField(blank=True, verbose_name=_("topics or beginnings"))
    with_links = models.BooleanField(default=False, verbose_name=_("proposals may have links"))
    # When it next proposes by itself; None for now. While a process does it: when to presume that one dead.
    fill_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("proposes at"))
    # The process that lets it write (jobs.processes).
    filler = models.CharField(max_length=255, blank=True, editable=False, verbose_name=_("filler"))
    # Why the last time failed, and how that is translated.
    fill_trouble = models.TextField(blank=True, editable=False, verbose_name=_("why it proposed nothing"))
    fill_trouble_words = models.JSONField(default=dict, blank=True, editable=False, verbose_name=_("translation"))
    # Until the owner goes on, nothing is sent.
    is_stopped = models.BooleanField(default=False, verbose_name=_("stopped"))
    # Other words for the label at the beginning of each post; blank for ours (labels.py).
    label = models.CharField(max_length=80, blank=True, verbose_name=_("label"))
    # Only where the operator allows that (UNLABELLED_POSTS).
    is_unlabelled = models.BooleanField(default=False, verbose_name=_("without a label"))
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=_("created at"))

    class Meta:
        verbose_name = _("queue")
        verbose_name_plural = _("queues")

    def __str__(self) -> str:
        return str(self.model)

    @property
    def is_new(self) -> bool:
        """Return whether it has no row yet."""
        return self._state.adding

    @property
    def shown_fill_trouble(self) -> str:
        """Return why it proposed nothing by itself, in the active language, or ""."""
        return restored(self.fill_trouble, self.fill_trouble_words)

    @property
    def hours(self) -> wall_times.Hours:
        """Return when its posts may go out."""
        return wall_times.Hours(self.per_day, self.opens, self.closes, self.quiet_from, self.quiet_until)


class Stop(models.Model):
    """All bots of a person post nothing as long as there is this row."""

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="posting_stop", verbose_name=_("owner")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=_("created at"))

    class Meta:
        verbose_name = _("stop")
        verbose_name_plural = _("stops")

    def __str__(self) -> str:
        return str(self.owner)


class Account(models.Model):
    """An account on a network, or the feed, where a bot's posts appear. The row stays when it is disconnected."""

    class State(models.TextChoices):
        CONNECTED = "connected", _("Connected")
        LOGGED_OUT = "logged_out", _("Needs to be connected again")
        UNMARKED = "unmarked", _("Not marked as a bot")
        REMOVED = "removed", _("Disconnected")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, verbose_name=_("id"))
    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="accounts", verbose_name=_("queue"))
    network = models.CharField(max_length=16, verbose_name=_("network"))
    remote_id = models.CharField(max_length=200, verbose_name=_("id on the network"))
    handle = models.CharField(max_length=255, blank=True, verbose_name=_("handle"))
    address = models.CharField(max_length=2000, blank=True, verbose_name=_("address"))
    server = models.CharField(max_length=255, blank=True, verbose_name=_("server"))
    longest = models.PositiveIntegerField(verbose_name=_("longest post"))
    rules = models.JSONField(default=list, blank=True, verbose_name=_("rules of the server"))
    # Encrypted (credentials.py). Blank once it's disconnected, and for a feed.
    credentials = models.TextField(blank=True, editable=False, verbose_name=_("credentials"))
    # The last part of the address of a feed; None for others. Whoever has it reads the feed.
    link = models.CharField(max_length=43, null=True, unique=True, editable=False, verbose_name=_("link"))  # noqa: DJ001
    state = models.CharField(max_length=16, choices=State, default=State.CONNECTED, verbose_name=_("state"))
    # Why nothing is sent, and how that is translated (botfactory.words.translation.stored).
    trouble = models.TextField(blank=True, verbose_name=_("what is wrong"))
    trouble_words = models.JSONField(default=dict, blank=True, editable=False, verbose_name=_("translation"))
    # When that was noticed, and when the owner's mail about it is due (botfactory.accounts.due_mails).
    troubled_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("troubled at"))
    mail_due_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("mail due at"))
    # The network asks for a pause until then.
    not_before = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("not before"))
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=_("created at"))

    class Meta:
        ordering = ["created_at", "pk"]
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints = [models.UniqueConstraint(fields=["queue", "network"], name="one_account_per_network")]

    def __str__(self) -> str:
        return f"{self.network} {self.handle}".strip()

    @property
    def title(self) -> str:
        """Return what people call it, in the active language."""
        return self.handle or gettext(self.kind.label)

    @property
    def kind(self) -> Network:
        """Return the description of its network."""
        return network_of(self.network)

    @property
    def shown_trouble(self) -> str:
        """Return why nothing is sent, in the active language, or ""."""
        return restored(self.trouble, self.trouble_words)


class App(models.Model):
    """Bot Factory as it's registered at somebody's server, once for each address that people come back to."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, verbose_name=_("id"))
    network = models.CharField(max_length=16, verbose_name=_("network"))
    callback = models.CharField(max_length=500, unique=True, verbose_name=_("callback"))
    # Encrypted (credentials.py), with the origin of the server.
    credentials = models.TextField(editable=False, verbose_name=_("credentials"))
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=_("created at"))

    class Meta:
        verbose_name = _("application at a server")
        verbose_name_plural = _("applications at servers")

    def __str__(self) -> str:
        return self.callback


class Proposal(models.Model):
    """A post that a bot proposes, and what its owner decided."""

    class State(models.TextChoices):
        PROPOSED = "proposed", _("Proposed")
        APPROVED = "approved", _("Approved")
        REJECTED = "rejected", _("Rejected")

    class Reason(models.TextChoices):
        SENSE = "sense", _("Makes no sense")
        VOICE = "voice", _("Not like me")
        NOT_NOW = "not_now", _("Not now")
        UNKIND = "unkind", _("Unkind")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, verbose_name=_("id"))
    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="proposals", verbose_name=_("queue"))
    # Where the bot wrote it, and its index there.
    generation = models.ForeignKey(
        Generation, on_delete=models.SET_NULL, null=True, related_name="proposals", verbose_name=_("generation")
    )
    number = models.PositiveIntegerField(verbose_name=_("number"))
    # As the bot wrote it, and as its owner wants it. Without the label.
    written = models.TextField(verbose_name=_("as written"))
    text = models.TextField(verbose_name=_("text"))
    # What a taste goes by beside the text (rules/taste.py), as it was when the post was proposed.
    measured = models.JSONField(default=dict, blank=True, editable=False, verbose_name=_("measured"))
    state = models.CharField(max_length=16, choices=State, default=State.PROPOSED, verbose_name=_("state"))
    reason = models.CharField(max_length=16, choices=Reason, blank=True, verbose_name=_("reason"))
    decided_at = models.DateTimeField(null=True, blank=True, verbose_name=_("decided at"))
    # When it goes out: the time of the wall in this zone. What moment that is, is worked out late.
    wall = models.DateTimeField(null=True, blank=True, verbose_name=_("time"))
    zone = models.CharField(max_length=64, blank=True, verbose_name=_("time zone"))
    # The owner chose the time, so the queue doesn't move it.
    is_fixed = models.BooleanField(default=False, verbose_name=_("fixed time"))
    # Its place in the queue.
    position = models.PositiveIntegerField(default=0, verbose_name=_("position"))
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=_("created at"))

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = _("proposed post")
        verbose_name_plural = _("proposed posts")
        indexes = [models.Index(fields=["queue", "state"], name="proposal_queue_state")]

    def __str__(self) -> str:
        return self.text[:80]

    @property
    def wall_time(self) -> datetime | None:
        """Return the time of the wall, without a zone. The column keeps it as if the wall were in UTC."""
        return None if self.wall is None else self.wall.replace(tzinfo=None)

    @property
    def due(self) -> datetime | None:
        """Return the moment when it is due."""
        return None if self.wall_time is None else wall_times.moment_of(self.wall_time, self.zone)

    @property
    def is_edited(self) -> bool:
        return self.text != self.written


class Publication(models.Model):
    """An approved post on its way to one account. The row is the truth; the broker only rings (sending.py)."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENDING = "sending", _("Sending")
        UNKNOWN = "unknown", _("Unknown")
        POSTED = "posted", _("Posted")
        FAILED = "failed", _("Failed")
        MISSED = "missed", _("Missed")
        RECALLING = "recalling", _("Being recalled")
        RECALLED = "recalled", _("Recalled")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, verbose_name=_("id"))
    proposal = models.ForeignKey(
        Proposal, on_delete=models.CASCADE, related_name="publications", verbose_name=_("post")
    )
    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="publications", verbose_name=_("account")
    )
    state = models.CharField(max_length=16, choices=State, default=State.WAITING, verbose_name=_("state"))
    # Made once, so that sending again publishes nothing twice.
    key = models.CharField(max_length=64, editable=False, verbose_name=_("key"))
    # What was sent, with the label, and when it was first tried: the same at each try.
    text = models.TextField(blank=True, verbose_name=_("text"))
    began_at = models.DateTimeField(null=True, blank=True, verbose_name=_("first tried at"))
    # Counts the tries. A sender with another number has lost the row and must not write to it.
    attempts = models.PositiveIntegerField(default=0, verbose_name=_("attempts"))
    # The process that has it (jobs.processes).
    sender = models.CharField(max_length=255, blank=True, editable=False, verbose_name=_("sender"))
    tried_at = models.DateTimeField(null=True, blank=True, verbose_name=_("tried at"))
    # Not before that. While a sender has it: when to presume it dead.
    next_at = models.DateTimeField(null=True, blank=True, verbose_name=_("next try"))
    # Its owner has it sent again at this moment, because it failed or was missed.
    again_at = models.DateTimeField(null=True, blank=True, verbose_name=_("again at"))
    remote_id = models.CharField(max_length=200, blank=True, verbose_name=_("id on the network"))
    address = models.CharField(max_length=2000, blank=True, verbose_name=_("address"))
    posted_at = models.DateTimeField(null=True, blank=True, verbose_name=_("posted at"))
    error = models.TextField(blank=True, verbose_name=_("error"))
    error_words = models.JSONField(default=dict, blank=True, editable=False, verbose_name=_("translation of the error"))
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=_("created at"))

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = _("published post")
        verbose_name_plural = _("published posts")
        constraints = [
            models.UniqueConstraint(fields=["account", "key"], name="publication_key_once"),
            models.UniqueConstraint(fields=["proposal", "account"], name="published_once_per_account"),
        ]
        indexes = [
            models.Index(
                fields=["state", "next_at"],
                condition=Q(state__in=("waiting", "sending", "unknown", "recalling")),
                name="publication_open",
            )
        ]

    def __str__(self) -> str:
        return f"{self.account}: {self.get_state_display()}"

    @property
    def due(self) -> datetime | None:
        """Return the moment when it is due."""
        return self.again_at or self.proposal.due

    @property
    def shown_error(self) -> str:
        """Return what went wrong, in the active language, or ""."""
        return restored(self.error, self.error_words)


class FormerAccount(models.Model):
    """An account of a deleted bot, and its posts that are still to be deleted there. The row goes once they are."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, verbose_name=_("id"))
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("owner")
    )
    bot = models.CharField(max_length=200, verbose_name=_("bot"))
    network = models.CharField(max_length=16, verbose_name=_("network"))
    remote_id = models.CharField(max_length=200, verbose_name=_("id on the network"))
    handle = models.CharField(max_length=255, blank=True, verbose_name=_("handle"))
    # Encrypted. Blank once nothing more can be done.
    credentials = models.TextField(blank=True, editable=False, verbose_name=_("credentials"))
    # What sending/remains.py needs for each post.
    posts = models.JSONField(default=list, editable=False, verbose_name=_("posts"))
    attempts = models.PositiveIntegerField(default=0, verbose_name=_("attempts"))
    # None once nothing more can be done.
    next_at = models.DateTimeField(null=True, blank=True, verbose_name=_("next try"))
    error = models.TextField(blank=True, verbose_name=_("error"))
    error_words = models.JSONField(default=dict, blank=True, editable=False, verbose_name=_("translation of the error"))
    mail_due_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("mail due at"))
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=_("created at"))

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = _("account of a deleted bot")
        verbose_name_plural = _("accounts of deleted bots")

    def __str__(self) -> str:
        return f"{self.network} {self.handle}".strip()

    @property
    def kind(self) -> Network:
        """Return the description of its network."""
        return network_of(self.network)

    @property
    def shown_error(self) -> str:
        """Return what went wrong, in the active language, or ""."""
        return restored(self.error, self.error_words)

    @property
    def left(self) -> int:
        """Return how many posts are still there."""
        return len(self.posts)

    @property
    def addresses(self) -> str:
        """Return where the posts are that are still there, one a line."""
        return "\n".join(post["address"] for post in self.posts if post["address"])
