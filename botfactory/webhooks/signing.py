"""Secrets of webhooks, and signatures by them as Standard Webhooks (standardwebhooks.com) has it.

A digest would do to recognize a secret, as for API tokens, but to sign it has to be known. It is therefore derived,
from SECRET_KEY and a random salt in the row: who reads the database, or a backup of it, without SECRET_KEY can sign
nothing; there is no second key to keep, and nothing to decrypt that might have been altered. With another SECRET_KEY
all secrets are others, of which their owners know nothing: `is_known` tells, and nothing is signed with them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Final

from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from botfactory.webhooks.models import Webhook

MARK: Final = "whsec_"
_SALT_BYTES: Final = 32
#: For how long messages are signed by the former secret too.
OVERLAP: Final = timedelta(hours=24)


def give_secret(webhook: Webhook) -> str:
    """The webhook, which is yet to be saved, has a new secret; its text, to be shown once.

    Where it had one that is known, messages are signed by that as well for OVERLAP.
    """
    had_one = bool(webhook.salt) and is_known(webhook)
    webhook.former_salt = webhook.salt if had_one else ""
    webhook.former_until = timezone.now() + OVERLAP if had_one else None
    webhook.salt = secrets.token_hex(_SALT_BYTES)
    secret = secret_of(webhook)
    webhook.secret_check = _check(secret)
    return secret


def secret_of(webhook: Webhook) -> str:
    """What its receiver verifies with: `whsec_` and 32 bytes in base64."""
    return _derived(webhook, webhook.salt)


def is_known(webhook: Webhook) -> bool:
    """Whether the secret is the one that was shown: it is another one under another SECRET_KEY."""
    return constant_time_compare(_check(secret_of(webhook)), webhook.secret_check)


def signatures(webhook: Webhook, message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature` of a message: one for each secret of the webhook, the newest first."""
    known = [secret_of(webhook)]
    if webhook.former_until is not None and webhook.former_until > timezone.now():
        known.append(_derived(webhook, webhook.former_salt))
    return " ".join(signature(secret, message_id, timestamp, body) for secret in known)


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """By one secret: over the message's id, the time of this try and its body."""
    key = base64.b64decode(secret.removeprefix(MARK))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


def _derived(webhook: Webhook, salt: str) -> str:
    digest = salted_hmac(f"botfactory.webhooks.{webhook.pk}", salt, algorithm="sha256").digest()
    return MARK + base64.b64encode(digest).decode()


def _check(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:16]
