"""Pages of webhooks: create, change, test, switch and delete them; see a new secret once, and the messages sent."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from botfactory.accounts import confirming
from botfactory.accounts.limits import LimitReached
from botfactory.accounts.models import User
from botfactory.rest.rate_limit import paced
from botfactory.web.listing import ListForm, Listing
from botfactory.webhooks import delivery, event_types, services, signing
from botfactory.webhooks.forms import WebhookForm
from botfactory.webhooks.models import Delivery, Webhook
from botfactory.words.translation import translated

DELIVERIES_ON_A_PAGE: Final = 25
#: In the session: the webhook whose secret has not been shown yet.
_NEW: Final = "new_webhook"
Made = TypeVar("Made")


@login_required
@require_http_methods(["GET", "POST"])
@paced("POST")
def webhook_list(request: HttpRequest) -> HttpResponse:
    """List the person's webhooks and create one. A new one's page shows its secret the first time it is opened."""
    form = WebhookForm(request.POST if request.method == "POST" else None)
    new = _saved(form, lambda **asked: services.create(owner=cast(User, request.user), **asked))
    if new is not None:
        # Redirect: reloading a page with the secret would create another webhook.
        request.session[_NEW] = str(new.webhook.pk)
        return redirect("webhook", webhook_id=new.webhook.pk)
    webhooks = [(webhook, _in_words(webhook)) for webhook in services.webhooks_for_user(request.user)]
    context = {"form": form, "webhooks": webhooks}
    return render(request, "webhooks/list.html", context, status=400 if form.is_bound else 200)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
@paced("POST")
def webhook_page(request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Show one webhook: its state and its messages, with a form for its address and events."""
    with _found_or_404(request, webhook_id) as webhook:
        kept = {"url": webhook.url, "events": webhook.events}
        form = WebhookForm(request.POST) if request.method == "POST" else WebhookForm(initial=kept)
        if _saved(form, lambda **asked: services.change(webhook, **asked)) is not None:
            messages.success(request, _("Saved."))
            return redirect("webhook", webhook_id=webhook.pk)
        webhook.refresh_from_db()
    is_new = request.session.get(_NEW) == str(webhook.pk)
    if is_new:
        del request.session[_NEW]
    listing = Listing(webhook.deliveries.all(), ListForm(request.GET), size=DELIVERIES_ON_A_PAGE)
    context = {
        "webhook": webhook,
        "events": _in_words(webhook),
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
    """Send a test message now."""
    with _found_or_404(request, webhook_id) as webhook:
        tried = delivery.send_test(webhook)
    if tried.error:
        messages.error(request, _("The test didn’t arrive. %(error)s") % {"error": tried.shown_error})
    else:
        told = {"status": tried.status, "seconds": f"{tried.seconds:.1f}"}
        messages.success(request, _("The test arrived. The server answered %(status)s after %(seconds)s s.") % told)
    return redirect("webhook", webhook_id=webhook_id)


@login_required
@require_POST
@paced("POST")
def resend(request: HttpRequest, webhook_id: uuid.UUID, delivery_id: uuid.UUID) -> HttpResponse:
    """Queue a failed message again."""
    with _found_or_404(request, webhook_id) as webhook:
        try:
            services.resend(webhook, delivery_id)
        except Delivery.DoesNotExist:
            raise Http404("There is no such message.") from None
        except services.NotPossible as error:
            messages.error(request, translated(error))
        else:
            messages.success(request, _("The message is being sent again."))
    return redirect("webhook", webhook_id=webhook_id)


@login_required
@require_POST
def renew_secret(request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Make a new secret. The webhook's page shows it the first time it is opened."""
    with _found_or_404(request, webhook_id) as webhook:
        confirming.require(request)
        services.renew_secret(webhook)
    request.session[_NEW] = str(webhook_id)
    return redirect("webhook", webhook_id=webhook_id)


@login_required
@require_POST
def switch(request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Switch it on if the form says so, else off."""
    with _found_or_404(request, webhook_id) as found:
        webhook = services.change(found, active=request.POST.get("active") == "on")
    messages.success(request, _("The webhook is on.") if webhook.active else _("The webhook is off."))
    return redirect("webhook", webhook_id=webhook_id)


@login_required
@require_POST
def delete(request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Delete it with the log of its messages."""
    with _found_or_404(request, webhook_id) as webhook:
        services.delete(webhook)
    messages.success(request, _("Webhook deleted."))
    return redirect("webhooks")


def _saved(form: WebhookForm, save: Callable[..., Made]) -> Made | None:
    """Return the saved webhook; None if the form isn't valid, with the errors in the form."""
    if not form.is_valid():
        return None
    try:
        return save(url=form.cleaned_data["url"], events=form.cleaned_data["events"])
    except services.WebhookError as error:
        form.add_error(error.param, translated(error))
    except LimitReached as error:
        form.add_error(None, translated(error))
    return None


def _in_words(webhook: Webhook) -> str:
    return get_text_list(
        [str(words) for name, words in event_types.in_words().items() if name in webhook.events], _("or")
    )


@contextmanager
def _found_or_404(request: HttpRequest, webhook_id: uuid.UUID) -> Iterator[Webhook]:
    """Yield the person's webhook. 404 if there is none, or if it is deleted inside the block."""
    try:
        yield services.webhook_for_user(request.user, webhook_id)
    except Webhook.DoesNotExist:
        raise Http404("There is no such webhook.") from None
