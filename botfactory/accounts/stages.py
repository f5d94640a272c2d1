"""What stands between a right password and being signed in, where it is not as allauth has it."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.stages import EmailVerificationStage


class ConfirmAddress(EmailVerificationStage):  # type: ignore[misc]
    """An address has to be confirmed; who signed up before there was mail, and gave none, comes in without."""

    def handle(self) -> Any:
        if not self.login.signup and not EmailAddress.objects.filter(user=self.login.user).exists():
            return None, True
        return super().handle()
