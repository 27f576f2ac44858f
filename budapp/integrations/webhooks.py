"""Posts to addresses that customers name, and to nothing inside our own walls."""

import asyncio
import hashlib
import hmac
import ipaddress
import socket
import time

import httpx

_SECONDS = 10


class WebhookError(Exception):
    """The post did not arrive, or must not be made."""


async def post_signed(url: str, body: bytes, secret: str, *, allow_private: bool, headers: dict[str, str]) -> None:
    """Post the body with `X-Budapp-Timestamp` and `X-Budapp-Signature: sha256=<HMAC of "timestamp.body">`.

    The name is looked up once and the connection made to that very address, so that it cannot become another one
    between the check and the post. Redirects are not followed.

    Raises:
        WebhookError: the address is private, cannot be reached, or answers anything but 2xx.
    """
    target = httpx.URL(url)
    address = await _address_of(target, allow_private=allow_private)
    stamp = str(int(time.time()))
    signature = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    sent = {
        "Content-Type": "application/json",
        "Host": target.netloc.decode(),
        "X-Budapp-Timestamp": stamp,
        "X-Budapp-Signature": f"sha256={signature}",
        **headers,
    }
    try:
        async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False) as client, asyncio.timeout(_SECONDS * 2):
            answer = await client.post(
                target.copy_with(host=address), content=body, headers=sent, extensions={"sni_hostname": target.host}
            )
    except (httpx.HTTPError, TimeoutError, OSError) as error:
        raise WebhookError(repr(error)) from error
    if not answer.is_success:
        raise WebhookError(f"The webhook answered {answer.status_code}")


async def check_address(url: str, *, allow_private: bool) -> None:
    """Raise `WebhookError` where the address must not be posted to."""
    await _address_of(httpx.URL(url), allow_private=allow_private)


async def _address_of(target: httpx.URL, *, allow_private: bool) -> str:
    if target.scheme != "https" and not allow_private:
        raise WebhookError("The address must be https")
    port = target.port or (443 if target.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(target.host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise WebhookError(f"There is no such host: {target.host}") from error
    addresses = [str(item[4][0]) for item in found]
    if not allow_private and not all(_is_public(address) for address in addresses):
        raise WebhookError("The address is inside a private network")
    return addresses[0]


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(ip, "ipv4_mapped", None) or ip
    return inner.is_global and not inner.is_multicast
