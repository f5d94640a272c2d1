from __future__ import annotations

import uuid
from typing import Any, cast

from allauth.account import views as allauth_views
from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.forms.models import model_to_dict
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from botfactory.accounts import notifications, overview, services, sessions, tokens
from botfactory.accounts.confirming import confirmed
from botfactory.accounts.forms import DeleteAccountForm, NotificationsForm, TokenForm
from botfactory.accounts.models import ApiToken, User
from botfactory.words.translation import translated


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
@confirmed
def token_list(request: HttpRequest) -> HttpResponse:
    """List the person's tokens, and create one. Only this answer contains the new token, and nothing stores it."""
    owner = cast(User, request.user)
    form = TokenForm(request.POST if request.method == "POST" else None, owner=owner)
    context: dict[str, Any] = {}
    if form.is_valid():
        try:
            context["new"] = tokens.create_token(
                owner=owner, name=form.cleaned_data["name"], expires_at=form.expires_at(), scopes=form.scopes()
            )
            form = TokenForm(owner=owner)
        except tokens.TokenError as error:
            form.add_error(None, translated(error))
    context |= {"form": form, "tokens": tokens.tokens_for_user(request.user)}
    return render(request, "accounts/tokens.html", context, status=400 if form.is_bound else 200)


@login_required
@require_POST
def revoke_token(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    try:
        token = tokens.revoke_token(tokens.token_for_user(request.user, token_id))
    except ApiToken.DoesNotExist:
        raise Http404("There is no such token.") from None
    messages.success(request, _("Revoked “%(token)s”. Programs that use it no longer have access.") % {"token": token})
    return redirect("tokens")


@login_required
@never_cache
@require_GET
def account(request: HttpRequest) -> HttpResponse:
    """Show what the person can manage in their account, with its current state."""
    seen = overview.overview_for_user(cast(User, request.user))
    wanted = NotificationsForm(initial=model_to_dict(seen.notifications))
    return render(request, "accounts/account.html", {"account": seen, "notifications": wanted})


@login_required
@require_POST
def choose_notifications(request: HttpRequest) -> HttpResponse:
    """Store which mails the person wants. They have the language of this page and link to its address."""
    form = NotificationsForm(request.POST)
    if form.is_valid():
        site, language = request.build_absolute_uri("/"), get_language() or ""
        notifications.choose(cast(User, request.user), **form.cleaned_data, language=language, site=site)
        messages.success(request, _("Saved."))
    return redirect("account")


@login_required
@require_POST
def end_sessions(request: HttpRequest, number: int | None = None) -> HttpResponse:
    """End one other session of the person, or all others."""
    ended = sessions.end_others(cast(User, request.user), keep=request.session.session_key, number=number)
    if number is not None and not ended:
        raise Http404("There is no such session.")
    if ended:
        told = ngettext("Ended %(count)s session.", "Ended %(count)s sessions.", ended) % {"count": ended}
    else:
        told = _("You aren’t signed in anywhere else.")
    messages.success(request, told)
    return redirect("usersessions_list")


@never_cache
def password_reset(request: HttpRequest) -> HttpResponse:
    """Send a reset link by mail, or say who to ask if this installation sends no mail."""
    if settings.MAIL_SERVER is None:
        return render(request, "accounts/ask_for_password.html")
    response: HttpResponse = allauth_views.password_reset(request)
    return response


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def delete_account(request: HttpRequest) -> HttpResponse:
    form = DeleteAccountForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        user = cast(User, request.user)
        try:
            # Count wrong passwords, as signing in does.
            get_adapter(request).reauthenticate(user, form.cleaned_data["password"])
            gone = services.delete_own_account(user, password=form.cleaned_data["password"])
        except (ValidationError, services.AccountError) as error:
            form.add_error(None, " ".join(error.messages) if isinstance(error, ValidationError) else translated(error))
        else:
            logout(request)
            told = (
                _("Your account is deleted, with %(things)s.") if any(gone.values()) else _("Your account is deleted.")
            )
            messages.success(request, told % {"things": services.counted(gone)})
            return redirect("dashboard")
    return render(request, "accounts/delete.html", {"form": form}, status=400 if form.is_bound else 200)
