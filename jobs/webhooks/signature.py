"""Standard Webhooks: what is signed, and how (https://github.com/standard-webhooks/standard-webhooks, `v1`)."""

import base64
import hashlib
import hmac
from collections.abc import Iterable


def headers(message_id: str, body: bytes, secrets: Iterable[str], *, now: float) -> dict[str, str]:
    """The headers of one delivery: a signature by each living secret, so that a receiver may hold either."""
    timestamp = str(int(now))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = " ".join(f"v1,{_signature(secret, signed)}" for secret in secrets)
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signatures,
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
