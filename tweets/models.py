from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from botfactory.words.translation import restored
from tweets.cleaning import CleaningRules
from tweets.sources.demo import KIND as EXAMPLE_KIND
from tweets.sources.kinds import FileKind
from tweets.sources.registry import SOURCES, is_network, kind_of, networks

#: The source of a corpus that is made from others.
BLEND = "blend"
#: The source of the corpus that comes with Bot Factory.
EXAMPLE = EXAMPLE_KIND.name
#: With fewer, a model can only learn the posts by heart, so no training starts.
MIN_CHARACTERS = 6_000
#: The form's name for all uploaded files, whichever source they are.
UPLOAD = "file"


class Corpus(models.Model):
    """The posts of one voice: everything that was found, with the result of cleaning."""

    class State(models.TextChoices):
        IMPORTING = "importing", _("Importing")
        READY = "ready", _("Ready")
        FAILED = "failed", _("Failed")

    class Basis(models.TextChoices):
        """What gives its owner the right to import these posts."""

        OWN = "own", _("My own account")
        PERMISSION = "permission", _("Somebody who gave me permission")
        PUBLIC = "public", _("A public figure, as a parody")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, verbose_name=_("id"))
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="corpora", verbose_name=_("owner")
    )
    name = models.CharField(max_length=80, verbose_name=_("name"))
    state = models.CharField(max_length=16, choices=State.choices, default=State.IMPORTING, verbose_name=_("state"))
    source = models.CharField(max_length=16, verbose_name=_("source"))
    # Blank for corpora from before this was asked.
    basis = models.CharField(max_length=16, choices=Basis.choices, blank=True, verbose_name=_("basis"))
    # Without @ in front: "name", "name.bsky.social" or a DID, "name@server".
    handle = models.CharField(max_length=320, blank=True, verbose_name=_("handle"))
    # The network of that handle. Blank without one.
    network = models.CharField(max_length=16, blank=True, verbose_name=_("network"))
    # The id of the account on its network, because a handle can pass to another account. Set with the first page. Blank
    # for files, and for corpora of earlier versions until newer posts are imported.
    account_id = models.TextField(blank=True, editable=False, verbose_name=_("account ID"))
    file_name = models.CharField(max_length=200, blank=True, verbose_name=_("file name"))
    # For a blend: the corpora that its posts come from (id, name, source, handle), with weight and number of posts.
    parts = models.JSONField(default=list, blank=True, editable=False, verbose_name=_("parts of a blend"))
    # Where the next page starts. Earlier posts are already in the rows.
    cursor = models.TextField(blank=True, verbose_name=_("place in the source"))
    is_complete = models.BooleanField(default=False, verbose_name=_("all posts read"))
    # The values of CleaningRules. Missing ones have their default.
    rules = models.JSONField(default=dict, blank=True, verbose_name=_("rules"))
    posts_found = models.PositiveIntegerField(default=0, verbose_name=_("posts found"))
    posts_kept = models.PositiveIntegerField(default=0, verbose_name=_("posts kept"))
    characters = models.PositiveIntegerField(default=0, verbose_name=_("characters"))
    dropped = models.JSONField(default=dict, blank=True, verbose_name=_("dropped posts by rule"))
    # What the posts are like, as tweets.corpora.report counted them when they were last cleaned.
    report = models.JSONField(default=dict, blank=True, editable=False, verbose_name=_("report"))
    # What counts towards its owner's limit: the upload while it is kept, then the posts.
    stored_bytes = models.PositiveBigIntegerField(default=0, editable=False, verbose_name=_("stored bytes"))
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=_("created at"))

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("corpus")
        verbose_name_plural = _("corpora")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        from django.urls import reverse

        return reverse("corpus", args=[self.pk])

    @property
    def account(self) -> str:
        """The handle as people write it, or "" if nobody has said whose posts these are."""
        return self.handle if self.handle.startswith("did:") or not self.handle else f"@{self.handle}"

    @property
    def comes_from_network(self) -> bool:
        """Whether the posts were read from the account itself, so that newer ones can be imported."""
        return is_network(self.source)

    @property
    def way(self) -> str:
        """The choice in the form that imports posts: "file", "text", a network, "" for a blend or the example."""
        if self.source not in SOURCES:
            return ""
        kind = kind_of(self.source)
        if not isinstance(kind, FileKind) or kind.is_pasted:
            return kind.name
        return UPLOAD if kind.is_upload else ""

    @property
    def is_example(self) -> bool:
        """Whether these are the posts of the invented person that come with Bot Factory."""
        return self.source == EXAMPLE

    @property
    def can_be_replaced(self) -> bool:
        """Whether its import ended before all posts were here, so that other posts may replace it."""
        return self.state == self.State.FAILED and not self.is_complete and bool(self.way)

    @property
    def shown_trouble(self) -> str:
        """Return why its newest import failed, in the active language, or "". See services.with_trouble."""
        words = getattr(self, "trouble_words", None) or {}
        return restored(getattr(self, "trouble", None) or "", words.get("error", {}))

    @property
    def is_too_small(self) -> bool:
        """Whether no bot can learn from so few characters."""
        return self.characters < MIN_CHARACTERS

    @property
    def is_ready(self) -> bool:
        return self.state == self.State.READY

    @property
    def cleaning_rules(self) -> CleaningRules:
        """The rules of the last cleaning, or of the first if there was none yet."""
        return CleaningRules.from_dict(self.rules)

    @cleaning_rules.setter
    def cleaning_rules(self, rules: CleaningRules) -> None:
        self.rules = rules.as_dict()

    @property
    def keep_replies(self) -> bool:
        return self.cleaning_rules.keep_replies

    @keep_replies.setter
    def keep_replies(self, keep: bool) -> None:
        self.rules = {**self.rules, "keep_replies": keep}

    @property
    def keep_reposts(self) -> bool:
        return self.cleaning_rules.keep_reposts

    @keep_reposts.setter
    def keep_reposts(self, keep: bool) -> None:
        self.rules = {**self.rules, "keep_reposts": keep}


class Post(models.Model):
    """One post as its source had it, and as bots learn it: `cleaned`, unless `dropped` says why it is left out.

    Removed posts and those with a banned word also have `cleaned`, so that they can be put back.
    """

    corpus = models.ForeignKey(Corpus, on_delete=models.CASCADE, related_name="posts")
    key = models.CharField(max_length=64)
    text = models.TextField()
    posted_at = models.DateTimeField(null=True, blank=True)
    is_repost = models.BooleanField(default=False)
    is_reply = models.BooleanField(default=False)
    is_quote = models.BooleanField(default=False)
    has_warning = models.BooleanField(default=False)
    # Removed by its owner, whatever the rules say.
    is_removed = models.BooleanField(default=False)
    cleaned = models.TextField(blank=True)
    dropped = models.CharField(max_length=16, blank=True)

    class Meta:
        ordering = ["corpus", "pk"]
        constraints = [models.UniqueConstraint(fields=["corpus", "key"], name="post_once")]
        indexes = [models.Index(fields=["corpus", "dropped"], name="post_corpus_dropped")]

    def __str__(self) -> str:
        return self.text[:60]


class AuditEntry(models.Model):
    """Something that was done with posts, or with a bot: who did it, when, and to what. The names outlive it."""

    class Action(models.TextChoices):
        IMPORT = "import", _("Import")
        RECLEAN = "reclean", _("Clean again")
        EXPORT = "export", _("Export")
        DELETE = "delete", _("Delete")
        OPT_OUT = "opt_out", _("Opt-out")
        SHARE = "share", _("Share a bot")

    at = models.DateTimeField(default=timezone.now, editable=False, db_index=True, verbose_name=_("at"))
    action = models.CharField(max_length=16, choices=Action.choices, verbose_name=_("action"))
    who = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("who")
    )
    # Blank if no person did it, for example when the account of the owner was deleted.
    who_name = models.CharField(max_length=150, blank=True, verbose_name=_("who"))
    about = models.CharField(max_length=420, verbose_name=_("about"))
    subject_id = models.UUIDField(null=True, verbose_name=_("subject"))
    details = models.JSONField(default=dict, verbose_name=_("details"))

    class Meta:
        ordering = ["-at", "-pk"]
        verbose_name = _("audit log entry")
        verbose_name_plural = _("audit log entries")

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.about}"


def network_choices() -> list[tuple[str, str]]:
    """Return the networks of the registry, for forms. Migrations hold this function and not the networks."""
    return [(kind.name, kind.label) for kind in networks().values()]


class OptOut(models.Model):
    """An account that asked not to be made into a bot here: nobody can import its posts."""

    network = models.CharField(max_length=16, choices=network_choices, verbose_name=_("network"))
    # In lower case, without @ in front, as in Corpus.
    handle = models.CharField(max_length=320, verbose_name=_("handle"))
    note = models.CharField(max_length=200, blank=True, verbose_name=_("note"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=_("created at"))

    class Meta:
        ordering = ["handle"]
        constraints = [models.UniqueConstraint(fields=["network", "handle"], name="opt_out_once")]
        verbose_name = _("opt-out")
        verbose_name_plural = _("opt-outs")

    def __str__(self) -> str:
        return self.account

    @property
    def account(self) -> str:
        return self.handle if self.handle.startswith("did:") else f"@{self.handle}"
