"""Credentials of accounts, encrypted with a key derived from SECRET_KEY. They leave this module only to a network."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.utils.crypto import salted_hmac


class CredentialsLost(Exception):
    """The credentials can't be read: SECRET_KEY has changed, or the row was altered."""


def sealed(credentials: Mapping[str, str]) -> str:
    """Return the credentials, encrypted."""
    return _cipher(settings.SECRET_KEY).encrypt(json.dumps(dict(credentials)).encode()).decode()


def opened(text: str) -> dict[str, str]:
    """Return the credentials that `sealed` returned this text for. Raises CredentialsLost."""
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            found: dict[str, str] = json.loads(_cipher(str(key)).decrypt(text.encode()))
        except InvalidToken:
            continue
        return found
    raise CredentialsLost("these credentials can't be decrypted")


def _cipher(secret: str) -> Fernet:
    key = salted_hmac("botfactory.publishing.credentials", "", secret=secret, algorithm="sha256").digest()
    return Fernet(base64.urlsafe_b64encode(key))
