"""The house rules: what the administrator has decided for everybody, else what the settings say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from botfactory.accounts.banned_phrases import phrases_in
from botfactory.accounts.models import HouseRules, User


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that hold now."""

    #: Who may sign up; whoever is the first may in any case.
    signup_mode: HouseRules.Signup
    #: Whether bots may be in the gallery; without it there is none.
    public_sharing: bool
    #: Whether those who are not signed in may look at the gallery.
    open_gallery: bool
    #: Whether the administration is closed to administrators without two-factor sign-in.
    administrators_need_two_factor: bool
    #: What no bot writes.
    banned_phrases: tuple[str, ...]

    @property
    def is_signup_open(self) -> bool:
        """Whether everybody may sign up now: also where nobody has, for the first is the administrator."""
        return self.signup_mode == HouseRules.Signup.OPEN or not is_founded()


def house_rules() -> Rules:
    row = HouseRules.objects.filter(pk=HouseRules.THE_ROW).first() or HouseRules()
    return Rules(
        signup_mode=HouseRules.Signup(row.signup_mode or settings.SIGNUP_MODE),
        public_sharing=settings.PUBLIC_SHARING if row.public_sharing is None else row.public_sharing,
        open_gallery=settings.OPEN_GALLERY if row.open_gallery is None else row.open_gallery,
        administrators_need_two_factor=row.administrators_need_two_factor,
        banned_phrases=phrases_in(row.banned_phrases),
    )


def is_founded() -> bool:
    """Whether this installation has an administrator."""
    return User.objects.filter(is_superuser=True).exists()


def row() -> HouseRules:
    """The row, which the administrator changes."""
    return HouseRules.objects.get_or_create(pk=HouseRules.THE_ROW)[0]


def for_pages(request: HttpRequest) -> dict[str, Any]:
    """In templates `house`, asked for where a page looks at it, and whether mail is sent."""
    return {"house": SimpleLazyObject(house_rules), "has_mail": settings.MAIL_SERVER is not None}
