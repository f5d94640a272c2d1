from __future__ import annotations

import logging
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from botfactory.accounts import attempts, security_log, services, signup, visitors
from botfactory.accounts.models import User
from botfactory.accounts.stages import ConfirmAddress

logger = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "account_inactive": _("This account has been deactivated. Ask the administrator."),
        "cannot_remove_primary_email": _(
            "You can’t remove your main address. Make another one the main address first."
        ),
        "duplicate_email": _("This address is already in your account."),
        "email_password_mismatch": _("Wrong email address or password."),
        "email_taken": _("Another account uses this email address."),
        "enter_current_password": _("Your current password is wrong. Try again."),
        "incorrect_code": _("Wrong code."),
        "incorrect_password": _("Wrong password."),
        "invalid_password_reset": _("This link doesn’t work. Ask for a new one."),
        "rate_limited": _("Too many requests. Wait a minute, then try again."),
        "unknown_email": _("No account uses this email address."),
        "unverified_primary_email": _("Confirm this address first. Then you can make it the main address."),
        "username_blacklisted": _("You can’t use this name. Choose another one."),
        "username_password_mismatch": _("Wrong username or password."),
        "username_taken": _("This username is taken. Choose another one."),
        "too_many_login_attempts": _("Too many failed attempts. Wait five minutes, then try again."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Return True, or answer with the reason why this visitor can't sign up."""
        try:
            signup.require_way_in(request.GET.get(signup.PARAMETER, ""))
        except signup.SignupRefused as error:
            raise _refusal(request, error) from None
        return True

    def new_user(self, request: HttpRequest) -> User:
        """Return the row of the account. Who signs up as a visitor keeps theirs, with all that they made."""
        return visitors.at_the_door(request) or User()

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        try:
            with transaction.atomic():
                user.invitation = signup.claim(request.GET.get(signup.PARAMETER, ""))
                user.is_visitor = False
                user = super().save_user(request, user, form, commit=commit)
                if commit:
                    visitors.settle(user)
                    services.make_founder_if_first(user)
        except signup.SignupRefused as error:
            raise _refusal(request, error) from None
        return user

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Return the key of the lock after wrong passwords: this account, from this address only."""
        return attempts.key_here(request, credentials)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        super().pre_authenticate(request, **credentials)
        if attempts.is_too_soon(request, credentials):
            self._rollback_login_failed_rl_usage()
            raise self.validation_error("too_many_login_attempts")

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        attempts.note_failure(request, credentials)
        # Django's signal for this is also sent for the right password of a deactivated account.
        account = attempts.account_of(credentials)
        security_log.record_failure(security_log.Action.SIGN_IN_FAILED, who=account, request=request)

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponseBase:
        """Log the attempt and redirect to the page that says so. Only the right password gets this far."""
        security_log.record_failure(security_log.Action.SIGN_IN_REFUSED, who=user, request=request)
        response: HttpResponseBase = super().respond_user_inactive(request, user)
        return response

    def get_login_stages(self) -> list[str]:
        own = f"{ConfirmAddress.__module__}.{ConfirmAddress.__qualname__}"
        return [own if stage.endswith(".EmailVerificationStage") else stage for stage in super().get_login_stages()]

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send the mail, or answer with a page that says it couldn't be sent."""
        try:
            super().send_mail(template_prefix, email, context)
        except OSError as error:
            logger.error("can't send mail through EMAIL_URL: %s", error)
            page = render(self.request, "account/mail_failed.html", status=503)
            raise ImmediateHttpResponse(page) from error


def _refusal(request: HttpRequest, error: signup.SignupRefused) -> ImmediateHttpResponse:
    return ImmediateHttpResponse(render(request, "account/signup_closed.html", {"error": error}, status=403))
