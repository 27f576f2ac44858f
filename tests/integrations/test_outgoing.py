"""Which addresses are followed, whatever they are written as and whatever they become on the way."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from hypothesis import given
from hypothesis import strategies as st

from budapp.integrations.outgoing import ForbiddenAddress, Outgoing, UnknownHost, is_public
from tests.events.sidecar import serve

INSIDE = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24"),
    *("192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
]
OUTSIDE = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "52.95.110.1"]

inside = st.sampled_from(INSIDE).flatmap(lambda network: st.ip_addresses(network=network)).map(int)
outside = st.sampled_from(OUTSIDE).map(ipaddress.IPv4Address).map(int)
bits = st.integers


def ipv6(number: int) -> str:
    return str(ipaddress.IPv6Address(number))


def high(prefix: str) -> int:
    return int(ipaddress.IPv6Address(prefix))


CARRYING: dict[str, Callable[[int, int], str]] = {
    "mapped": lambda ip, _: ipv6(high("::ffff:0:0") | ip),
    "NAT64": lambda ip, _: ipv6(high("64:ff9b::") | ip),
}
TUNNELLING: dict[str, Callable[[int, int], str]] = {
    "compatible": lambda ip, _: ipv6(ip),
    "translated": lambda ip, _: ipv6(high("::ffff:0:0:0") | ip),
    "NAT64, local use": lambda ip, rest: ipv6(high("64:ff9b:1::") | (rest % (1 << 48)) << 32 | ip),
    "NAT64, local use, /48": lambda ip, rest: ipv6(
        high("64:ff9b:1::") | (ip >> 16) << 64 | (ip & 0xFFFF) << 40 | rest % (1 << 40)
    ),
    "6to4": lambda ip, rest: ipv6(high("2002::") | ip << 80 | rest % (1 << 80)),
    "Teredo server": lambda ip, rest: ipv6(high("2001::") | ip << 64 | rest % (1 << 64)),
    "Teredo client": lambda ip, rest: ipv6(high("2001::") | (rest % (1 << 64)) << 32 | ip ^ 0xFFFF_FFFF),
    "ISATAP": lambda ip, rest: ipv6(high("2600::") | (rest % (1 << 60)) << 64 | 0x5EFE << 32 | ip),
    "ISATAP, public": lambda ip, rest: ipv6(high("2600::") | (rest % (1 << 60)) << 64 | 0x0200_5EFE << 32 | ip),
}


@pytest.mark.parametrize("form", [*CARRYING, *TUNNELLING])
@given(ip=inside, rest=bits(0, (1 << 96) - 1))
def test_what_stands_for_an_address_inside_is_inside(form: str, ip: int, rest: int) -> None:
    assert not is_public((CARRYING | TUNNELLING)[form](ip, rest))


@pytest.mark.parametrize("form", TUNNELLING)
@given(ip=outside, rest=bits(0, (1 << 96) - 1))
def test_tunnels_are_never_taken(form: str, ip: int, rest: int) -> None:
    assert not is_public(TUNNELLING[form](ip, rest))


@pytest.mark.parametrize("form", CARRYING)
@given(ip=outside)
def test_networks_of_ipv6_alone_reach_public_addresses_of_ipv4(form: str, ip: int) -> None:
    assert is_public(CARRYING[form](ip, 0))


@given(ip=inside)
def test_plain_addresses_inside_are_inside(ip: int) -> None:
    assert not is_public(str(ipaddress.IPv4Address(ip)))


@pytest.mark.parametrize(
    "network", ["fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "::/8", "100::/64", "2001:db8::/32"]
)
@given(data=st.data())
def test_plain_addresses_of_ipv6_inside_are_inside(network: str, data: st.DataObject) -> None:
    assert not is_public(str(data.draw(st.ip_addresses(network=network))))


@pytest.mark.parametrize("address", [*OUTSIDE, "2606:4700:4700::1111", "2a00:1450:4001:830::200e"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.1", "2130706433", "0x7f.1", "017700000001", "localhost", "[::1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]"],
)
async def test_every_spelling_of_this_machine_is_refused(host: str) -> None:
    with pytest.raises(ForbiddenAddress):
        await Outgoing().check(f"https://{host}/")
    async with Outgoing().client(seconds=2) as client:
        with pytest.raises(ForbiddenAddress):
            await client.get(f"https://{host}/")


@pytest.mark.parametrize("url", ["ftp://1.1.1.1/", "http://1.1.1.1/", "//1.1.1.1/", "1.1.1.1"])
async def test_only_https_is_spoken(url: str) -> None:
    with pytest.raises(ForbiddenAddress):
        await Outgoing().check(url)


async def test_plain_http_stays_in_the_networks_that_are_named() -> None:
    outgoing = Outgoing(["127.0.0.0/8"])
    await outgoing.check("http://127.0.0.1/")
    await outgoing.check("https://1.1.1.1/")
    for url in ("http://1.1.1.1/", "http://10.0.0.1/", "https://10.0.0.1/", "http://[::1]/"):
        with pytest.raises(ForbiddenAddress):
            await outgoing.check(url)


async def test_a_name_of_nobody_is_told_apart() -> None:
    with pytest.raises(UnknownHost):
        await Outgoing().check("https://nobody.invalid/")


@pytest.fixture
async def site() -> AsyncIterator[int]:
    """A web server of this machine."""
    served = FastAPI()

    @served.get("/")
    def home() -> str:
        return "here"

    @served.get("/away")
    def away(to: str) -> RedirectResponse:
        return RedirectResponse(to)

    async with serve(served) as port:
        yield port


class Names:
    """A name service whose answer changes with every question."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    async def __call__(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.answers.pop(0), port))]


async def test_what_was_checked_is_what_is_connected_to(site: int, monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names("127.0.0.1", "10.0.0.1")
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names)
    async with Outgoing(["127.0.0.1/32"]).client(seconds=2) as client:
        assert (await client.get(f"http://rebinding.test:{site}/")).json() == "here"
    assert names.answers == ["10.0.0.1"]


async def test_a_name_that_was_public_when_it_was_kept_is_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    outgoing = Outgoing()
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", Names("1.1.1.1", "127.0.0.1"))
    await outgoing.check("https://rebinding.test/")
    async with outgoing.client(seconds=2) as client:
        with pytest.raises(ForbiddenAddress):
            await client.get("https://rebinding.test/")


@pytest.mark.parametrize("to", ["http://127.0.0.2/", "http://[::1]/", "https://10.0.0.1/", "http://1.1.1.1/"])
async def test_redirects_are_guarded_too(site: int, to: str) -> None:
    async with Outgoing(["127.0.0.1/32"]).client(seconds=2, redirects=3) as client:
        here = f"http://127.0.0.1:{site}"
        assert (await client.get(f"{here}/away", params={"to": f"{here}/"})).json() == "here"
        with pytest.raises(ForbiddenAddress):
            await client.get(f"{here}/away", params={"to": to})


async def test_redirects_are_followed_only_where_asked(site: int) -> None:
    async with Outgoing(["127.0.0.1/32"]).client(seconds=2) as client:
        answer = await client.get(f"http://127.0.0.1:{site}/away", params={"to": "/"})
    assert answer.status_code == 307


async def test_no_proxy_of_the_environment_is_used(site: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with Outgoing(["127.0.0.1/32"]).client(seconds=2) as client:
        assert (await client.get(f"http://127.0.0.1:{site}/")).status_code == httpx.codes.OK
