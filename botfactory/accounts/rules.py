"""The house rules: the administrator's decisions for everybody, with defaults in the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

import botfactory
from botfactory.accounts.banned_phrases import phrases_in
from botfactory.accounts.models import HouseRules, User


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that apply now."""

    #: Who can sign up. The first person always can.
    signup_mode: HouseRules.Signup
    #: Whether people can show bots in the gallery. Without it there is no gallery.
    public_sharing: bool
    #: Whether visitors can see the gallery without signing in.
    open_gallery: bool
    #: Whether the administration is closed to administrators without two-factor sign-in.
    administrators_need_two_factor: bool
    #: Whether no bot here posts anything (publishing).
    posting_stopped: bool
    #: Phrases that no bot writes.
    banned_phrases: tuple[str, ...]
    #: The settings with which trainings of a tier begin, by tier (models_app.training.tier_recipes).
    tier_recipes: Mapping[str, Any]

    @property
    def is_founded(self) -> bool:
        return is_founded()

    @property
    def is_signup_open(self) -> bool:
        """Return whether everybody can sign up now. The first person can in any case, to become administrator."""
        return self.signup_mode == HouseRules.Signup.OPEN or not is_founded()


def house_rules() -> Rules:
    """Return the rules; within `read_once`, as they were when first read there."""
    known = _known.get()
    if known is None:
        return _read()
    if not known:
        known.append(_read())
    return known[0]


@contextmanager
def read_once() -> Iterator[None]:
    """Read the rules at most once in here, with one query, however often they're needed. Threads of this context, too.

    Not for anything long: it doesn't notice that the administrator changes them.
    """
    token = _known.set([])
    try:
        yield
    finally:
        _known.reset(token)


def _read() -> Rules:
    row = HouseRules.objects.filter(pk=HouseRules.THE_ROW).first() or HouseRules()
    return Rules(
        signup_mode=HouseRules.Signup(row.signup_mode or settings.SIGNUP_MODE),
        public_sharing=settings.PUBLIC_SHARING if row.public_sharing is None else row.public_sharing,
        open_gallery=settings.OPEN_GALLERY if row.open_gallery is None else row.open_gallery,
        administrators_need_two_factor=row.administrators_need_two_factor,
        posting_stopped=row.posting_stopped,
        banned_phrases=phrases_in(row.banned_phrases),
        tier_recipes=row.tier_recipes,
    )


#: Empty until the rules are read; None outside of `read_once`.
_known: ContextVar[list[Rules] | None] = ContextVar("house_rules", default=None)


_when_posting_goes_on: list[Callable[[], object]] = []


def register_posting(go_on: Callable[[], object]) -> None:
    """Have `go_on` called when the administrator lets bots post again. Called in AppConfig.ready."""
    _when_posting_goes_on.append(go_on)


def let_post_again() -> None:
    """Tell everybody concerned that bots may post again."""
    for go_on in _when_posting_goes_on:
        go_on()


def is_founded() -> bool:
    """Return whether this installation has an administrator."""
    return User.objects.filter(is_superuser=True).exists()


def row() -> HouseRules:
    """Return the row that the administrator changes."""
    return HouseRules.objects.get_or_create(pk=HouseRules.THE_ROW)[0]


def for_pages(request: HttpRequest) -> dict[str, Any]:
    """Give templates `house`, which queries only when a page reads it, `has_mail` and `version`."""
    return {
        "house": SimpleLazyObject(house_rules),
        "has_mail": settings.MAIL_SERVER is not None,
        "version": botfactory.__version__,
    }
