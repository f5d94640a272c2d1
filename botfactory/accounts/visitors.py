"""Visitors: people who try the example without an account. Their row becomes an account when they sign up.

A visitor sees the pages in `PAGES` and gets to the sign-up page from all others. What they made is deleted after a day.
"""

from __future__ import annotations

import logging
import secrets
from datetime import timedelta
from typing import Any, Final

from allauth.core import ratelimit
from django.contrib.auth import login
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.urls import reverse
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from botfactory.accounts import services
from botfactory.accounts.models import PersonalLimits, User
from botfactory.accounts.rules import house_rules

logger = logging.getLogger(__name__)

#: The most visitors at once, and how long what they made is kept.
MOST: Final = 40
KEPT: Final = timedelta(days=1)
#: In ACCOUNT_RATE_LIMITS.
ACTION: Final = "visit"
#: What a visitor can have: the example with its two bots, and nothing else.
LIMITS: Final = {
    "queued_jobs": 2,
    "training_minutes_a_day": 30,
    "corpora": 1,
    "trained_models": 2,
    "x_posts_a_month": 0,
    "webhooks": 0,
    "requests_a_minute": 60,
}
#: The names of the routes that visitors can use.
PAGES: Final = frozenset(
    {
        *("account_logout", "dashboard", "example", "language", "theme", "script_words", "status"),
        *("job", "job_events", "job_action"),
        *("keep_post", "kept", "remove_kept"),
        *("corpus", "posts", "model", "generate", "why", "written", "delete_generation", "delete_written"),
        *("gallery", "shared", "shared_preview", "shared_generate", "shared_game"),
        *("shared_by_link", "shared_by_link_preview", "shared_by_link_generate", "shared_by_link_game", "write_demo"),
    }
)
#: Here, a visitor counts as nobody: they sign up, or sign in to an account that they have.
_DOORS: Final = frozenset({"account_signup", "account_login"})
#: In the session of a visitor.
_IS_VISITOR: Final = "is_visitor"
#: The attribute of a request at a door.
_AT_DOOR: Final = "visitor"


class NotNow(Exception):
    """A sentence for the person."""

    code = "no_visitors_now"


def admit(request: HttpRequest) -> User:
    """Let somebody without an account in as a visitor. Raises NotNow with the reason why they have to sign up."""
    if not house_rules().is_signup_open:
        raise NotNow(_("This Bot Factory doesn’t accept visitors. Sign in to try the example."))
    if User.objects.filter(is_visitor=True).count() >= MOST:
        raise NotNow(_("Too many people are trying the example right now. Sign up, then try it."))
    if not ratelimit.consume(request, action=ACTION):
        raise NotNow(_("The example was tried often from your network. Sign up, then try it."))
    visitor = User(username=f"visitor-{secrets.token_hex(6)}", is_visitor=True)
    visitor.set_unusable_password()
    with transaction.atomic():
        visitor.save()
        PersonalLimits.objects.create(user=visitor, **LIMITS)
    login(request, visitor)
    request.session[_IS_VISITOR] = True
    request.session.set_expiry(KEPT)
    return visitor


def at_the_door(request: HttpRequest) -> User | None:
    """Return the visitor who is about to sign up in this request, or None."""
    return getattr(request, _AT_DOOR, None)


def settle(user: User) -> None:
    """Give somebody who was a visitor the limits of everybody. Call it in the transaction that saves the account."""
    PersonalLimits.objects.filter(user=user).delete()


def forget_old() -> None:
    """Delete the visitors of yesterday with all that they made."""
    for visitor in User.objects.filter(is_visitor=True, date_joined__lt=timezone.now() - KEPT)[:MOST]:
        services.delete_account(visitor)


class VisitorsMiddleware(MiddlewareMixin):
    """Keeps visitors to the pages of the example."""

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        if not request.session.get(_IS_VISITOR):
            return None
        name = request.resolver_match.view_name if request.resolver_match else ""
        if name in PAGES:
            return None
        if name in _DOORS:
            setattr(request, _AT_DOOR, request.user)
            request.user = AnonymousUser()
            return None
        if request.method in ("GET", "HEAD"):
            return redirect(f"{reverse('account_signup')}?{urlencode({'next': request.get_full_path()})}")
        return redirect(resolve_url("account_signup"))
