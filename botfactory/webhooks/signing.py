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
import time
from datetime import timedelta
from typing import Any, Final

from django.utils.crypto import constant_time_compare, salted_hmac

from botfactory.webhooks.models import Webhook

MARK: Final = "whsec_"
_SALT_BYTES: Final = 32
#: For how long messages are signed by a former secret too; and by how many, so that headers stay short.
OVERLAP: Final = timedelta(hours=24)
_MAX_FORMER: Final = 8


def give_secret(webhook: Webhook) -> str:
    """The webhook, which is yet to be saved, has a new secret; its text, to be shown once.

    Messages are signed by those that it had, as far as they are known, for OVERLAP from when each was renewed: whoever
    renews twice in a row may have put in none of the new ones yet.
    """
    had_one = bool(webhook.salt) and is_known(webhook)
    former = [[webhook.salt, time.time() + OVERLAP.total_seconds()], *_former(webhook)] if had_one else []
    webhook.former_salts = former[:_MAX_FORMER]
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
    salts = [webhook.salt, *(salt for salt, _ in _former(webhook))]
    return " ".join(signature(_derived(webhook, salt), message_id, timestamp, body) for salt in salts)


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """By one secret: over the message's id, the time of this try and its body."""
    key = base64.b64decode(secret.removeprefix(MARK))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


def _former(webhook: Webhook) -> list[list[Any]]:
    return [[salt, until] for salt, until in webhook.former_salts if until > time.time()]


def _derived(webhook: Webhook, salt: str) -> str:
    digest = salted_hmac(f"botfactory.webhooks.{webhook.pk}", salt, algorithm="sha256").digest()
    return MARK + base64.b64encode(digest).decode()


def _check(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:16]
