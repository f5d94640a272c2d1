from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.utils import timezone

from botfactory.accounts import banned_phrases


class User(AbstractUser):
    """A person. The founder is the first who signed up: the administrator of this installation."""

    is_founder = models.BooleanField(default=False, editable=False)
    #: With which they signed up, where one was needed.
    invitation = models.ForeignKey(
        "accounts.Invitation", on_delete=models.SET_NULL, related_name="guests", null=True, editable=False
    )

    class Meta(AbstractUser.Meta):
        constraints = [
            # One founder, also when two people sign up at the same moment.
            models.UniqueConstraint(fields=["is_founder"], condition=Q(is_founder=True), name="one_founder")
        ]


def usual_scopes() -> list[str]:
    return ["read", "write"]


class ApiToken(models.Model):
    """What a program shows instead of a password. Of its secret only a keyed digest is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    # The part of the token by which it is found, and by which people tell theirs apart.
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    # What it may: see tokens.SCOPES.
    scopes = models.JSONField(default=usual_scopes, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "API token"

    def __str__(self) -> str:
        return self.name

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()


class Invitation(models.Model):
    """Lets people sign up where that is by invitation. Of its link only a keyed digest is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    note = models.CharField(max_length=200, blank=True, help_text="For whom it is; only administrators see it.")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, related_name="+", null=True, editable=False
    )
    uses = models.PositiveIntegerField(default=1, help_text="How many people may sign up with it.")
    # Also of accounts that are deleted by now.
    used = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: never.")
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.note or f"Invitation of {self.created_at:%Y-%m-%d %H:%M}"


class PersonalLimits(models.Model):
    """The limits of one person where they are not the default (`limits.py`); empty fields are."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="limits")
    unlimited = models.BooleanField(default=False, help_text="No limit at all, whatever stands below.")
    queued_jobs = models.PositiveIntegerField(null=True, blank=True)
    running_jobs = models.PositiveIntegerField(null=True, blank=True)
    training_minutes_a_day = models.PositiveIntegerField(null=True, blank=True)
    corpora = models.PositiveIntegerField(null=True, blank=True)
    # The limit is called `models`, which is the name of a module here.
    trained_models = models.PositiveIntegerField(null=True, blank=True, verbose_name="models")
    stored_mb = models.PositiveIntegerField(null=True, blank=True, verbose_name="stored MB")
    x_posts_a_month = models.PositiveIntegerField(null=True, blank=True, verbose_name="posts bought from X a month")
    requests_a_minute = models.PositiveIntegerField(null=True, blank=True)
    webhooks = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "limits"

    def __str__(self) -> str:
        return f"Limits of {self.user}"

    def chosen(self, limit: str) -> int | None:
        """What stands here for the limit of that name; None where it is the default."""
        value: int | None = getattr(self, "trained_models" if limit == "models" else limit)
        return value


class HouseRules(models.Model):
    """What the administrator has decided for the whole house: one row. What is empty is as the settings have it."""

    class Signup(models.TextChoices):
        OPEN = "open", "Everybody"
        INVITATION = "invitation", "Who has an invitation"
        CLOSED = "closed", "Nobody"

    THE_ROW = 1

    signup_mode = models.CharField(max_length=16, choices=Signup.choices, blank=True, verbose_name="who may sign up")
    public_sharing = models.BooleanField(
        null=True, blank=True, help_text="Whether people may put their bots into the gallery."
    )
    open_gallery = models.BooleanField(
        null=True, blank=True, help_text="Whether those who are not signed in may look at the gallery."
    )
    administrators_need_two_factor = models.BooleanField(
        default=False,
        verbose_name="administrators need two-factor",
        help_text="An administrator without two-factor sign-in is asked to set it up before they can administer.",
    )
    banned_phrases = models.TextField(
        blank=True,
        default=banned_phrases.shipped,
        validators=[banned_phrases.require_sane],
        help_text="No bot writes these, whoever asks. One word or phrase on each line. Case, accents, spaces, "
        "punctuation, and drawn-out letters make no difference: “kill yourself” also finds “KILL  your-self”. The list "
        "that you start with holds phrases that tell people to harm themselves. Empty: nothing is banned for all.",
    )

    class Meta:
        verbose_name = verbose_name_plural = "house rules"
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_row_of_house_rules")]

    def __str__(self) -> str:
        return "House rules"


class SecurityEntry(models.Model):
    """Something that happened to an account. Written by `security_log`, never changed by hand."""

    class Action(models.TextChoices):
        SIGNED_IN = "signed_in", "Signed in"
        SIGN_IN_FAILED = "sign_in_failed", "Wrong password"
        CODE_FAILED = "code_failed", "Wrong two-factor code"
        PASSWORD_CHANGED = "password_changed", "Password changed"
        PASSWORD_RESET = "password_reset", "Password reset by a link"
        RESET_LINK_MADE = "reset_link_made", "Link for a new password made"
        TOKEN_MADE = "token_made", "API token made"
        TOKEN_REVOKED = "token_revoked", "API token revoked"
        TWO_FACTOR_ON = "two_factor_on", "Two-factor switched on"
        TWO_FACTOR_OFF = "two_factor_off", "Two-factor switched off"
        CODES_MADE = "codes_made", "Recovery codes made"
        ADDRESS_CHANGED = "address_changed", "Email address changed"
        ROLES_CHANGED = "roles_changed", "Roles changed"
        DEACTIVATED = "deactivated", "Deactivated"
        ACTIVATED = "activated", "Activated"
        DELETED = "deleted", "Account deleted"

    at = models.DateTimeField(default=timezone.now, db_index=True)
    action = models.CharField(max_length=24, choices=Action.choices)
    #: Whose account; None where nobody has the name that was typed, or has it no longer.
    who = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, related_name="+", null=True)
    who_name = models.CharField(max_length=150, blank=True, verbose_name="account")
    by_name = models.CharField(max_length=150, blank=True, verbose_name="by")
    address = models.GenericIPAddressField(null=True, blank=True)
    #: How often, of failures.
    times = models.PositiveIntegerField(default=1)
    details = models.JSONField(default=dict)

    class Meta:
        ordering = ["-at", "-pk"]
        verbose_name = "security log entry"
        verbose_name_plural = "security log"
        indexes = [models.Index(fields=["who", "action", "at"], name="security_of_an_account")]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.who_name or 'unknown account'}"


class Meter(models.Model):
    """How much of something a person has used up in a day ("2026-11-25") or a month ("2026-11"), in UTC."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="meters")
    name = models.CharField(max_length=32)
    period = models.CharField(max_length=10)
    amount = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "name", "period"], name="meter_once")]

    def __str__(self) -> str:
        return f"{self.name} of {self.user} in {self.period}: {self.amount:,}"
