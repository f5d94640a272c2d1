"""Django's DEBUG error page without secrets, neither among the settings nor anywhere else on the page."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from django.conf import settings
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

STARS: Final = SafeExceptionReporterFilter.cleansed_substitute
#: user:password@ of an address
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/\s'\"]*@")
_SHORTEST: Final = 4


class HiddenSettings(SafeExceptionReporterFilter):
    """Hides addresses of services, and credentials in any other setting."""

    hidden_settings = re.compile(
        SafeExceptionReporterFilter.hidden_settings.pattern
        + "|DATABASE|REDIS|BROKER|EMAIL_URL|MAIL_SERVER|CACHES|LAYERS",
        flags=re.I,
    )

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        cleansed = super().cleanse_setting(key, value)
        return _CREDENTIALS.sub(f"{STARS}@", cleansed) if isinstance(cleansed, str) else cleansed

    def get_post_parameters(self, request: Any) -> Any:
        """Return the data of a form, without fields whose names suggest a secret."""
        sent = super().get_post_parameters(request)
        if not hasattr(sent, "lists"):
            return sent
        cleansed = sent.copy()
        for name in cleansed:
            cleansed[name] = self.cleanse_setting(name, cleansed[name])
        return cleansed


class QuietReporter(ExceptionReporter):
    """Removes known secrets from the finished page, because variables and messages contain them under any name."""

    def get_traceback_html(self) -> SafeString:
        return mark_safe(without_secrets(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        return mark_safe(without_secrets(super().get_traceback_text()))


def without_secrets(page: str) -> str:
    for secret in secrets():
        for written in {secret, quote(secret, safe=""), escape(secret), escape(repr(secret)[1:-1])}:
            page = page.replace(written, STARS)
    return page


def secrets() -> list[str]:
    """Return the secrets in this installation's settings, longest first."""
    addresses = (settings.DATABASE_URL, settings.REDIS_URL, settings.CELERY_BROKER_URL)
    passwords = [unquote(urlsplit(address).password or "") for address in addresses if address]
    if settings.MAIL_SERVER:
        passwords.append(settings.MAIL_SERVER.password)
    found = {settings.SECRET_KEY, settings.METRICS_TOKEN, settings.X_CLIENT_SECRET, *passwords}
    found |= {getattr(settings, name) for name in settings.NETWORK_SECRETS}
    return sorted((secret for secret in found if len(secret) >= _SHORTEST), key=len, reverse=True)
