"""Posts to addresses that customers name."""

import asyncio
import hashlib
import hmac
import time

import httpx

from budapp.integrations.outgoing import Outgoing

_SECONDS = 10


class WebhookError(Exception):
    """The post did not arrive, or must not be made."""


async def post_signed(outgoing: Outgoing, url: str, body: bytes, secret: str, *, headers: dict[str, str]) -> None:
    """Post the body with `X-Budapp-Timestamp` and `X-Budapp-Signature: sha256=<HMAC of "timestamp.body">`.

    Redirects are not followed, and what the webhook answers is not read.

    Raises:
        WebhookError: the address is private, cannot be reached, or answers anything but 2xx.
    """
    stamp = str(int(time.time()))
    signature = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    sent = {
        "Content-Type": "application/json",
        "X-Budapp-Timestamp": stamp,
        "X-Budapp-Signature": f"sha256={signature}",
        **headers,
    }
    try:
        async with (
            asyncio.timeout(_SECONDS * 2),
            outgoing.client(seconds=_SECONDS) as client,
            client.stream("POST", url, content=body, headers=sent) as answer,
        ):
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
        raise WebhookError(str(error) or repr(error)) from error
    if not 200 <= status < 300:
        raise WebhookError(f"The webhook answered {status}")
