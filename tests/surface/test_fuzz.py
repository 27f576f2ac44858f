"""Whatever is put into whatever field: a clear 4xx or a success, never a failure of ours.

The fields are read off the OpenAPI document. The rest of each request stays valid, so that the odd value gets as far as
it can. What is tried is chosen by the seed of the order of the tests, so that each commit tries something else.
"""

import itertools
import random
from functools import partial
from typing import Any

import httpx

from budapp.commons.access import access_of
from tests.failures import failures
from tests.surface.requests import fill
from tests.surface.routes import ROUTES, Location, document
from tests.surface.surface import Surface, with_value

ODD_TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "\ud83d",
    "😀" * 50,
    "%_\\",
    "'\";--",
    "null",
    "-1",
    "NaN",
    "1e400",
    "9" * 40,
    "../../x",
    "a" * 300,
    "a" * 70_000,
    "\u202e\u200b\ufeff",
    "İ@example.com",
    "2026-13-45T99:99:99Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-23:59",
    "{}",
    "[1",
    "urn:uuid:00000000-0000-0000-0000-000000000000",
    "eyJuYW1lIjpudWxsLCJpZCI6bnVsbH0",
    "eyJjcmVhdGVkX2F0IjoiMDAwMS0wMS0wMVQwMDowMDowMFoiLCJpZCI6IjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCJ9",
]
ODD_VALUES: list[Any] = [
    *ODD_TEXTS,
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    10**400,
    -0.5,
    1e308,
    [],
    [[]],
    [None],
    {},
    {"$ne": None},
    {"a": {"a": {"a": []}}},
    ["a"] * 2000,
]
ROUNDS = {"super_admin": 18, "client": 5, "member": 5, "invited": 2, "nobody": 2, "other_admin": 3}
PUBLIC_ROUNDS = {"nobody": 18}
"""How many odd values each caller tries at each route."""

MAX_RESTORES = 5


def sendable(part: str, value: Any) -> bool:
    """Tell whether a client could send the value there."""
    if part == "path":
        return isinstance(value, str) and len(value) < 1000 and bool(value.strip("./ "))
    return part == "body" or (isinstance(value, str | int | bool) and len(str(value)) < 5000)


def rounds(operation: str) -> dict[str, int]:
    access = access_of(ROUTES[operation])
    return PUBLIC_ROUNDS if access is not None and access.kind == "public" else ROUNDS


async def test_odd_values_are_never_a_failure_of_ours(surface: Surface, with_places: str, order: int) -> None:
    places = surface.document.locations(with_places)
    restores = 0
    for caller, number in rounds(with_places).items():
        await surface.prepare(with_places, caller, surface.scene.here)
        chosen = random.Random(f"{order} {with_places} {caller}")
        for _ in range(number):
            place, value = chosen.choice(places), chosen.choice(ODD_VALUES)
            if not sendable(place.part, value):
                continue
            answer = await surface.send(with_value(fill(with_places, surface.scene.here), place, value), caller)
            if with_places.startswith("DELETE ") and answer.is_success and restores < MAX_RESTORES:
                restores += 1
                await surface.restore()


HALF_A_PAIR = b'{"name": "\\ud83d"}'


def may_take(operation: str, content: bytes) -> bool:
    """Tell whether the route may take it: nothing where no body is required, and a `name` where it has none."""
    if content == HALF_A_PAIR:
        return not document().takes(operation, "body:name")
    body = ROUTES[operation].body_field
    return content in {b"", b"null"} and body is not None and not body.field_info.is_required()


CONTENTS = {
    "empty": b"",
    "cut": b"{",
    "null": b"null",
    "deep": b"[" * 50_000,
    "no utf-8": b'"\xff\xfe"',
    "half a pair": HALF_A_PAIR,
    "NaN": b"NaN",
    "long number": b"1" * 5000,
}
CONTENT_TYPES = ("application/json", "text/plain", "multipart/form-data; boundary=x")


async def test_what_is_no_json_is_never_a_failure_of_ours(surface: Surface, with_body: str) -> None:
    await surface.prepare(with_body, "super_admin", surface.scene.here)
    method = with_body.partition(" ")[0]
    with failures() as failed:
        for (name, content), kind in itertools.product(CONTENTS.items(), CONTENT_TYPES):
            headers = surface.scene.cast.admin.headers | {"content-type": kind}
            url = fill(with_body, surface.scene.here).url
            answer: httpx.Response = await surface.client.request(method, url, content=content, headers=headers)
            with failed(f"{name} as {kind}"):
                surface.check(answer)
                assert (200 if may_take(with_body, content) else 400) <= answer.status_code < 500
            if answer.is_success:
                await surface.restore()
                await surface.prepare(with_body, "super_admin", surface.scene.here)


async def test_every_field_of_every_list_can_be_searched_and_sorted_by_anything(
    surface: Surface, sorted_list: str, order: int
) -> None:
    places = {str(place): place for place in surface.document.locations(sorted_list)}
    searched = with_value(fill(sorted_list, surface.scene.here), Location("query", ("search",), {}), "true")
    texts, chosen = list(filter(partial(sendable, "query"), ODD_TEXTS)), random.Random(f"{order} {sorted_list}")
    for name, place in places.items():
        if place.part == "query" and name != "query:cursor":
            for text in chosen.sample(texts, len(texts) // 2):
                await surface.send(with_value(searched, place, text), "super_admin")
