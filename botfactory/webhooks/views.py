"""Pages of webhooks: made, changed, tried, switched, deleted; a secret is shown once; and what was sent to each."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from botfactory.accounts import confirming
from botfactory.accounts.limits import LimitReached
from botfactory.accounts.models import User
from botfactory.listing import ListForm, Listing
from botfactory.rest.rate_limit import paced
from botfactory.webhooks import delivery, services, signing
from botfactory.webhooks.forms import IN_WORDS, WebhookForm
from botfactory.webhooks.models import Webhook

DELIVERIES_ON_A_PAGE: Final = 25
#: In the session: the webhook whose secret has not been shown yet.
_NEW: Final = "new_webhook"
Made = TypeVar("Made")


@login_required
@require_http_methods(["GET", "POST"])
@paced("POST")
def webhook_list(request: HttpRequest) -> HttpResponse:
    """One's own webhooks. The page of a new one shows its secret the first time that it is opened."""
    form = WebhookForm(request.POST if request.method == "POST" else None)
    new = _saved(form, lambda **asked: services.create(owner=cast(User, request.user), **asked))
    if new is not None:
        # Not in this answer: reloading it would make another webhook.
        request.session[_NEW] = str(new.webhook.pk)
        return redirect("webhook", webhook_id=new.webhook.pk)
    webhooks = [(webhook, _told_of(webhook)) for webhook in services.webhooks_for_user(request.user)]
    context = {"form": form, "webhooks": webhooks}
    return render(request, "webhooks/list.html", context, status=400 if form.is_bound else 200)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
@paced("POST")
def webhook_page(request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """One webhook: how it does, what was sent to it, and its address and happenings to change."""
    with _found_or_404(request, webhook_id) as webhook:
        kept = {"url": webhook.url, "events": webhook.events}
        form = WebhookForm(request.POST) if request.method == "POST" else WebhookForm(initial=kept)
        if _saved(form, lambda **asked: services.change(webhook, **asked)) is not None:
            messages.success(request, "It is saved.")
            return redirect("webhook", webhook_id=webhook.pk)
        webhook.refresh_from_db()
    is_new = request.session.get(_NEW) == str(webhook.pk)
    if is_new:
        del request.session[_NEW]
    listing = Listing(webhook.deliveries.all(), ListForm(request.GET), size=DELIVERIES_ON_A_PAGE)
    context = {
        "webhook": webhook,
        "told_of": _told_of(webhook),
        "new_secret": signing.secret_of(webhook) if is_new else None,
        "has_secret": signing.is_known(webhook),
        "form": form,
        "listing": listing,
        "kept_for": delivery.KEPT_FOR.days,
    }
    return render(request, "webhooks/page.html", context, status=400 if form.is_bound else 200)


@login_required
@require_POST
@paced("POST")
def test(request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """A message that says nothing is sent at once."""
    with _found_or_404(request, webhook_id) as webhook:
        tried = delivery.send_test(webhook)
    if tried.error:
        messages.error(request, f"The test did not arrive. {tried.error}")
    else:
        messages.success(request, f"The test has arrived: the answer was {tried.status}, after {tried.seconds:.1f} s.")
    return redirect("webhook", webhook_id=webhook_id)


@login_required
@require_POST
def renew_secret(request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """It signs by a new secret, which its page shows the first time that it is opened."""
    with _found_or_404(request, webhook_id) as webhook:
        confirming.require(request)
        services.renew_secret(webhook)
    request.session[_NEW] = str(webhook_id)
    return redirect("webhook", webhook_id=webhook_id)


@login_required
@require_POST
def switch(request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """It is on where the form says so, else off."""
    with _found_or_404(request, webhook_id) as found:
        webhook = services.change(found, active=request.POST.get("active") == "on")
    messages.success(request, "It is told again." if webhook.active else "It is told of nothing more.")
    return redirect("webhook", webhook_id=webhook_id)


@login_required
@require_POST
def delete(request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """It is gone, with what is known of its messages."""
    with _found_or_404(request, webhook_id) as webhook:
        services.delete(webhook)
    messages.success(request, "The webhook is deleted.")
    return redirect("webhooks")


def _saved(form: WebhookForm, save: Callable[..., Made]) -> Made | None:
    """Returns what came of saving what a valid form asks for; else None, and the form says what is wrong."""
    if not form.is_valid():
        return None
    try:
        return save(url=form.cleaned_data["url"], events=form.cleaned_data["events"])
    except services.WebhookError as error:
        form.add_error(error.param, str(error))
    except LimitReached as error:
        form.add_error(None, str(error))
    return None


def _told_of(webhook: Webhook) -> str:
    return ", ".join(words for name, words in IN_WORDS.items() if name in webhook.events)


@contextmanager
def _found_or_404(request: HttpRequest, webhook_id: uuid.UUID) -> Iterator[Webhook]:
    """The person's webhook; 404 where there is none, or where it is deleted while something is done with it."""
    try:
        yield services.webhook_for_user(request.user, webhook_id)
    except Webhook.DoesNotExist:
        raise Http404("There is no such webhook.") from None
