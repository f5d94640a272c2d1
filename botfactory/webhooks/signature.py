"""Secrets and signatures according to Standard Webhooks (standardwebhooks.com). Pure: no Django."""

from __future__ import annotations

import base64
import hmac
from typing import Final

MARK: Final = "whsec_"
SECRET_BYTES: Final = 32


def secret_from(key: bytes) -> str:
    """Return the secret as receivers get it: `whsec_` and the key in base64."""
    return MARK + base64.b64encode(key).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Sign the message's id, the time of this try and the body with one secret."""
    key = base64.b64decode(secret.removeprefix(MARK))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


def headers(message_id: str, timestamp: int, signatures: str) -> dict[str, str]:
    """Return the headers of a message in JSON."""
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signatures,
    }
