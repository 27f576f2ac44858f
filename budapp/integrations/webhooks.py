"""Posts to addresses that customers name, signed as https://www.standardwebhooks.com says."""

import asyncio
import hashlib
import hmac
from collections.abc import Mapping, Sequence

import httpx
from standardwebhooks import Webhook

from budapp.commons.database import now
from budapp.integrations.outgoing import Outgoing

_SECONDS = 10
_PREFIX = "whsec_"


class WebhookError(Exception):
    """The post did not arrive, or must not be made; `status` is what was answered, if anything."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


def key_of(secret: str) -> bytes | str:
    """Return the key that a secret stands for: what follows `whsec_` is Base64, any other text is the key itself."""
    return secret if secret.startswith(_PREFIX) else secret.encode()


def earlier_signature(body: str, secret: str) -> dict[str, str]:
    """Return the headers by which receivers check what was signed before there was a standard for it."""
    stamp = str(int(now().timestamp()))
    signature = hmac.new(secret.encode(), f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Budapp-Timestamp": stamp, "X-Budapp-Signature": f"sha256={signature}"}


async def post_signed(
    outgoing: Outgoing,
    url: str,
    body: str,
    secrets: Sequence[str],
    *,
    message_id: str,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Post the body, signed with each of the secrets.

    Redirects are not followed, and what the webhook answers is not read.

    Args:
        outgoing: the way out.
        url: where to.
        body: JSON.
        secrets: any of them lets the receiver check.
        message_id: the same whenever the same is sent.
        headers: what is sent beside `webhook-id`, `webhook-timestamp` and `webhook-signature`.

    Raises:
        WebhookError: the address is private, cannot be reached, or answers anything but 2xx.
    """
    moment = now()
    signatures = (Webhook(key_of(secret)).sign(message_id, moment, body) for secret in secrets)
    sent = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
        **(headers or {}),
    }
    try:
        async with (
            asyncio.timeout(_SECONDS * 2),
            outgoing.client(seconds=_SECONDS) as client,
            client.stream("POST", url, content=body.encode(), headers=sent) as answer,
        ):
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
        raise WebhookError(str(error) or repr(error)) from error
    if not 200 <= status < 300:
        raise WebhookError(f"The webhook answered {status}", status)
