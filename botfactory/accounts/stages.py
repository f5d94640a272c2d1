"""The steps between a correct password and being signed in that differ from those of allauth."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.stages import EmailVerificationStage


class ConfirmAddress(EmailVerificationStage):  # type: ignore[misc]
    """Require a confirmed address, except from people who signed up without one before mail was set up."""

    def handle(self) -> Any:
        if not self.login.signup and not EmailAddress.objects.filter(user=self.login.user).exists():
            return None, True
        return super().handle()
