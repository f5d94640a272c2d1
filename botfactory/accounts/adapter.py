from __future__ import annotations

import logging
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import render

from botfactory.accounts import attempts, services, signup
from botfactory.accounts.models import User
from botfactory.accounts.stages import ConfirmAddress

logger = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "too_many_login_attempts": "Too many failed attempts. Wait five minutes, then try again.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether the sign-up page is for who asks; else they are told why not."""
        try:
            signup.require_way_in(request.GET.get(signup.PARAMETER, ""))
        except signup.SignupRefused as error:
            raise _refusal(request, error) from None
        return True

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        try:
            with transaction.atomic():
                user.invitation = signup.claim(request.GET.get(signup.PARAMETER, ""))
                user = super().save_user(request, user, form, commit=commit)
                if commit:
                    services.make_founder_if_first(user)
        except signup.SignupRefused as error:
            raise _refusal(request, error) from None
        return user

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """What the lock after wrong passwords is for: the account from this address, not from everywhere."""
        return attempts.key_here(request, credentials)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        super().pre_authenticate(request, **credentials)
        if attempts.is_too_soon(request, credentials):
            self._rollback_login_failed_rl_usage()
            raise self.validation_error("too_many_login_attempts")

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        attempts.note_failure(request, credentials)

    def get_login_stages(self) -> list[str]:
        own = f"{ConfirmAddress.__module__}.{ConfirmAddress.__qualname__}"
        return [own if stage.endswith(".EmailVerificationStage") else stage for stage in super().get_login_stages()]

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """The mail is sent, or the person is told that it could not be."""
        try:
            super().send_mail(template_prefix, email, context)
        except OSError as error:
            logger.error("mail cannot be sent by EMAIL_URL: %s", error)
            page = render(self.request, "account/mail_failed.html", status=503)
            raise ImmediateHttpResponse(page) from error


def _refusal(request: HttpRequest, error: signup.SignupRefused) -> ImmediateHttpResponse:
    return ImmediateHttpResponse(render(request, "account/signup_closed.html", {"error": error}, status=403))
