"""The one way out to addresses that customers or operators name: nothing inside our own walls is ever connected to.

A name is resolved when the connection is made, and the connection goes to the very addresses that were checked, so
that a name cannot become another one in between (DNS rebinding); each redirect is a connection of its own. IPv6
addresses that stand for an IPv4 address are judged by that one, or refused where they are a tunnel.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Sequence
from typing import Any

import httpcore
import httpx

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_UNICAST = ipaddress.IPv6Network("2000::/3")
_CARRIERS = (
    ipaddress.IPv6Network("::ffff:0:0/96"),  # IPv4-mapped: the kernel connects by IPv4
    ipaddress.IPv6Network("64:ff9b::/96"),  # NAT64: the network translates
)
"""Prefixes of ways to an IPv4 address, in the last 32 bits, that are in use where IPv6 is all there is."""
_TUNNELS = (
    ipaddress.IPv6Network("2001::/32"),  # Teredo
    ipaddress.IPv6Network("2002::/16"),  # 6to4
)
_RELAYS = ipaddress.IPv4Network("192.88.99.0/24")
"""Where 6to4 relays were found."""
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)
"""The first half of the interface identifier of an ISATAP address (RFC 5214), private and public."""


class ForbiddenAddress(httpx.ConnectError):
    """The address is not one to connect to: inside a private network, or not encrypted."""


class UnknownHost(ForbiddenAddress):
    """There is no such host, now."""


class Outgoing:
    """Which addresses may be connected to: public ones by https, and those of the networks named here by http too."""

    def __init__(self, private_networks: Sequence[str] = ()) -> None:
        self._networks = [ipaddress.ip_network(network) for network in private_networks]
        self.tls = ssl.create_default_context()  # reading all authorities takes too long to do for each client

    def client(self, *, seconds: float, redirects: int = 0) -> httpx.AsyncClient:
        """Return a client that goes nowhere else, with a time limit for each step, and follows so many redirects.

        It raises `ForbiddenAddress` where it should. Whoever asks closes it.
        """
        return httpx.AsyncClient(
            transport=_Transport(self, "https"),
            mounts={"http://": _Transport(self, "http")},
            timeout=seconds,
            follow_redirects=redirects > 0,
            max_redirects=max(redirects, 1),
            trust_env=False,
        )

    async def check(self, url: str) -> None:
        """Check an address that is kept, or that others follow for us; what we follow is checked again then.

        Raises:
            UnknownHost: it names no host, now.
            ForbiddenAddress: it is not one to follow.
        """
        try:
            target = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise UnknownHost("must be an address") from error
        await self.addresses(target.scheme, target.host, target.port or 443)

    async def addresses(self, scheme: str, host: str, port: int) -> list[str]:
        """Return the addresses of the host, each of which may be connected to.

        Raises:
            ForbiddenAddress: one of them may not be.
        """
        if scheme != "https" and not self._networks:
            raise ForbiddenAddress("The address must start with https://")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise UnknownHost(f"Host not found: {host}") from error
        addresses = [str(item[4][0]) for item in found]
        if not all(self._may_reach(scheme, address) for address in addresses):
            raise ForbiddenAddress(_reason(scheme, addresses))
        return addresses

    def _may_reach(self, scheme: str, address: str) -> bool:
        ip = _ip(address)
        in_networks = any(ip in network for network in self._networks)
        return in_networks or (scheme == "https" and is_public(address))


def is_public(address: str) -> bool:
    """Tell whether packets to the address leave for the Internet, whatever is translated on the way."""
    ip = _ip(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast and ip not in _RELAYS
    if ip not in _UNICAST or any(ip in tunnel for tunnel in _TUNNELS):
        return False
    return ip.is_global and int(ip) >> 32 & 0xFFFF_FFFF not in _ISATAP


def _ip(address: str) -> IPAddress:
    """Return the address that is reached in the end."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if any(ip in carrier for carrier in _CARRIERS):
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip


def _reason(scheme: str, addresses: Sequence[str]) -> str:
    if all(map(is_public, addresses)) and scheme != "https":
        return "The address must start with https://"
    return "The address is inside a private network"


class _Backend(httpcore.AnyIOBackend):
    """Connects to addresses that have been checked, one after the other."""

    def __init__(self, outgoing: Outgoing, scheme: str) -> None:
        self._outgoing = outgoing
        self._scheme = scheme

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        *others, last = await self._outgoing.addresses(self._scheme, host, port)
        for address in others:
            try:
                return await super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await super().connect_tcp(last, port, timeout, local_address, socket_options)


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's own transport, with a network that is guarded; TLS still checks the name, not the address."""

    def __init__(self, outgoing: Outgoing, scheme: str) -> None:
        super().__init__(verify=outgoing.tls, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(ssl_context=outgoing.tls, network_backend=_Backend(outgoing, scheme))
