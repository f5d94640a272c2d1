from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from botfactory.accounts import banned_phrases


class User(AbstractUser):
    """A person. The founder is the first person who signed up, and an administrator."""

    is_founder = models.BooleanField(default=False, editable=False, verbose_name=gettext_lazy("is the first person"))
    #: Tries the example without an account (visitors.py).
    is_visitor = models.BooleanField(default=False, editable=False, verbose_name=gettext_lazy("is a visitor"))
    #: The invitation with which they signed up, if one was needed.
    invitation = models.ForeignKey(
        "accounts.Invitation",
        on_delete=models.SET_NULL,
        related_name="guests",
        null=True,
        editable=False,
        verbose_name=gettext_lazy("invitation"),
    )

    class Meta(AbstractUser.Meta):
        constraints = [
            # There is one founder, even if two people sign up at the same moment.
            models.UniqueConstraint(fields=["is_founder"], condition=Q(is_founder=True), name="one_founder")
        ]


def usual_scopes() -> list[str]:
    return ["read", "write"]


class ApiToken(models.Model):
    """What a program sends instead of a password. Only a keyed digest of its secret is stored."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, verbose_name=gettext_lazy("id"))
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="api_tokens",
        verbose_name=gettext_lazy("owner"),
    )
    name = models.CharField(max_length=80, verbose_name=gettext_lazy("name"))
    # The part of the token by which we find it, and by which people tell their tokens apart.
    prefix = models.CharField(max_length=16, unique=True, editable=False, verbose_name=gettext_lazy("prefix"))
    digest = models.CharField(max_length=64, editable=False, verbose_name=gettext_lazy("digest"))
    # What it may do: see tokens.SCOPES.
    scopes = models.JSONField(default=usual_scopes, editable=False, verbose_name=gettext_lazy("scopes"))
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=gettext_lazy("created"))
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=gettext_lazy("last used"))
    expires_at = models.DateTimeField(null=True, blank=True, verbose_name=gettext_lazy("expires"))
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=gettext_lazy("revoked"))

    class Meta:
        ordering = ["-created_at"]
        verbose_name = gettext_lazy("API token")
        verbose_name_plural = gettext_lazy("API tokens")

    def __str__(self) -> str:
        return self.name

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()


class Invitation(models.Model):
    """Lets people sign up if that needs an invitation. Only a keyed digest of its link is stored."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, verbose_name=gettext_lazy("id"))
    digest = models.CharField(max_length=64, unique=True, editable=False, verbose_name=gettext_lazy("digest"))
    note = models.CharField(
        max_length=200,
        blank=True,
        verbose_name=gettext_lazy("note"),
        help_text=gettext_lazy("Who it is for. Only administrators see this."),
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        related_name="+",
        null=True,
        editable=False,
        verbose_name=gettext_lazy("created by"),
    )
    uses = models.PositiveIntegerField(
        default=1, verbose_name=gettext_lazy("people"), help_text=gettext_lazy("How many people can sign up with it.")
    )
    # Includes accounts that have since been deleted.
    used = models.PositiveIntegerField(default=0, editable=False, verbose_name=gettext_lazy("signed up"))
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=gettext_lazy("created"))
    expires_at = models.DateTimeField(
        null=True,
        blank=True,
        verbose_name=gettext_lazy("expires"),
        help_text=gettext_lazy("Leave empty if it should never expire."),
    )
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=gettext_lazy("revoked"))

    class Meta:
        ordering = ["-created_at"]
        verbose_name = gettext_lazy("invitation")
        verbose_name_plural = gettext_lazy("invitations")

    def __str__(self) -> str:
        return self.note or _("Invitation of %(time)s") % {"time": f"{self.created_at:%Y-%m-%d %H:%M}"}


class PersonalLimits(models.Model):
    """The limits of one person that differ from the defaults (`limits.py`). An empty field means the default."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="limits", verbose_name=gettext_lazy("user")
    )
    unlimited = models.BooleanField(
        default=False,
        verbose_name=gettext_lazy("no limits"),
        help_text=gettext_lazy("This person has no limits, whatever the fields below say."),
    )
    queued_jobs = models.PositiveIntegerField(null=True, blank=True, verbose_name=gettext_lazy("waiting jobs"))
    running_jobs = models.PositiveIntegerField(null=True, blank=True, verbose_name=gettext_lazy("running jobs"))
    training_minutes_a_day = models.PositiveIntegerField(
        null=True, blank=True, verbose_name=gettext_lazy("minutes of training per day")
    )
    corpora = models.PositiveIntegerField(null=True, blank=True, verbose_name=gettext_lazy("corpora"))
    # The limit is called `models`, which is the name of a module here.
    trained_models = models.PositiveIntegerField(null=True, blank=True, verbose_name=gettext_lazy("bots"))
    stored_mb = models.PositiveIntegerField(null=True, blank=True, verbose_name=gettext_lazy("storage (MB)"))
    x_posts_a_month = models.PositiveIntegerField(
        null=True, blank=True, verbose_name=gettext_lazy("posts bought from X per month")
    )
    requests_a_minute = models.PositiveIntegerField(
        null=True, blank=True, verbose_name=gettext_lazy("API requests per minute")
    )
    webhooks = models.PositiveIntegerField(null=True, blank=True, verbose_name=gettext_lazy("webhooks"))

    class Meta:
        verbose_name = verbose_name_plural = gettext_lazy("limits")

    def __str__(self) -> str:
        return _("Limits of %(person)s") % {"person": self.user}

    def chosen(self, limit: str) -> int | None:
        """Return the value that is set for the limit of that name, or None for the default."""
        value: int | None = getattr(self, "trained_models" if limit == "models" else limit)
        return value


class Notifications(models.Model):
    """Which mails a person wants (`notifications.py`). Without a row, none."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="notifications",
        verbose_name=gettext_lazy("user"),
    )
    training_succeeded = models.BooleanField(default=False, verbose_name=gettext_lazy("when a training is done"))
    training_failed = models.BooleanField(default=False, verbose_name=gettext_lazy("when a training fails"))
    # As they were when the person chose: mails have neither a browser's language nor a request's address.
    language = models.CharField(max_length=16, blank=True, verbose_name=gettext_lazy("language"))
    site = models.CharField(max_length=300, blank=True, verbose_name=gettext_lazy("address of the pages"))

    class Meta:
        verbose_name = verbose_name_plural = gettext_lazy("notifications")

    def __str__(self) -> str:
        return _("Notifications of %(person)s") % {"person": self.user}


class HouseRules(models.Model):
    """What the administrator has decided for this installation, in one row. Empty fields follow the settings."""

    class Signup(models.TextChoices):
        OPEN = "open", gettext_lazy("Everybody")
        INVITATION = "invitation", gettext_lazy("People with an invitation")
        CLOSED = "closed", gettext_lazy("Nobody")

    THE_ROW = 1

    signup_mode = models.CharField(
        max_length=16, choices=Signup.choices, blank=True, verbose_name=gettext_lazy("who can sign up")
    )
    public_sharing = models.BooleanField(
        null=True,
        blank=True,
        verbose_name=gettext_lazy("public sharing"),
        help_text=gettext_lazy("People can show their bots in the gallery."),
    )
    open_gallery = models.BooleanField(
        null=True,
        blank=True,
        verbose_name=gettext_lazy("open gallery"),
        help_text=gettext_lazy("Visitors can see the gallery without signing in."),
    )
    administrators_need_two_factor = models.BooleanField(
        default=False,
        verbose_name=gettext_lazy("administrators need two-factor sign-in"),
        help_text=gettext_lazy("Administrators must set up two-factor sign-in before they can open these pages."),
    )
    banned_phrases = models.TextField(
        blank=True,
        default=banned_phrases.shipped,
        validators=[banned_phrases.require_sane],
        verbose_name=gettext_lazy("banned phrases"),
        help_text=gettext_lazy(
            "No bot here writes these words and phrases. Put each on its own line. Case, accents, spaces, punctuation "
            "and repeated letters make no difference: “kill yourself” also finds “KILL  your-self”. The list contains "
            "phrases that tell people to harm themselves, until you change it."
        ),
    )
    posting_stopped = models.BooleanField(
        default=False,
        verbose_name=gettext_lazy("stop all posting"),
        help_text=gettext_lazy("No bot here posts anything. What waits gets new times when you let them post again."),
    )
    # By tier, as models_app.training.tier_recipes writes it.
    tier_recipes = models.JSONField(default=dict, editable=False, verbose_name=gettext_lazy("recipes"))

    class Meta:
        verbose_name = verbose_name_plural = gettext_lazy("house rules")
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_row_of_house_rules")]

    def __str__(self) -> str:
        return _("House rules")


class SecurityEntry(models.Model):
    """Something that happened to an account. `security_log` writes these rows, and nobody edits them."""

    class Action(models.TextChoices):
        SIGNED_IN = "signed_in", gettext_lazy("Signed in")
        SIGN_IN_FAILED = "sign_in_failed", gettext_lazy("Wrong password")
        SIGN_IN_REFUSED = "sign_in_refused", gettext_lazy("Right password, but deactivated")
        CODE_FAILED = "code_failed", gettext_lazy("Wrong two-factor code")
        PASSWORD_CHANGED = "password_changed", gettext_lazy("Password changed")
        PASSWORD_RESET = "password_reset", gettext_lazy("Password reset with a link")
        RESET_LINK_MADE = "reset_link_made", gettext_lazy("Reset link created")
        TOKEN_MADE = "token_made", gettext_lazy("API token created")
        TOKEN_REVOKED = "token_revoked", gettext_lazy("API token revoked")
        TWO_FACTOR_ON = "two_factor_on", gettext_lazy("Two-factor turned on")
        TWO_FACTOR_OFF = "two_factor_off", gettext_lazy("Two-factor turned off")
        CODES_MADE = "codes_made", gettext_lazy("Recovery codes created")
        ADDRESS_CHANGED = "address_changed", gettext_lazy("Email address changed")
        ROLES_CHANGED = "roles_changed", gettext_lazy("Roles changed")
        DEACTIVATED = "deactivated", gettext_lazy("Deactivated")
        ACTIVATED = "activated", gettext_lazy("Activated")
        DELETED = "deleted", gettext_lazy("Account deleted")

    at = models.DateTimeField(default=timezone.now, db_index=True, verbose_name=gettext_lazy("time"))
    action = models.CharField(max_length=24, choices=Action.choices, verbose_name=gettext_lazy("action"))
    #: The account; None if nobody has the name that was typed, or nobody has it any more.
    who = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        related_name="+",
        null=True,
        verbose_name=gettext_lazy("who"),
    )
    who_name = models.CharField(max_length=150, blank=True, verbose_name=gettext_lazy("account"))
    by_name = models.CharField(max_length=150, blank=True, verbose_name=gettext_lazy("by"))
    address = models.GenericIPAddressField(null=True, blank=True, verbose_name=gettext_lazy("address"))
    #: The number of failures in this entry.
    times = models.PositiveIntegerField(default=1, verbose_name=gettext_lazy("times"))
    details = models.JSONField(default=dict, verbose_name=gettext_lazy("details"))

    class Meta:
        ordering = ["-at", "-pk"]
        verbose_name = gettext_lazy("security log entry")
        verbose_name_plural = gettext_lazy("security log entries")
        indexes = [models.Index(fields=["who", "action", "at"], name="security_of_an_account")]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.who_name or _('unknown account')}"


class Meter(models.Model):
    """How much of something a person has used in a day ("2026-11-25") or a month ("2026-11"), in UTC."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="meters")
    name = models.CharField(max_length=32)
    period = models.CharField(max_length=10)
    amount = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "name", "period"], name="meter_once")]

    def __str__(self) -> str:
        return f"{self.name} of {self.user} in {self.period}: {self.amount:,}"
