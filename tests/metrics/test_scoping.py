"""Whoever asks for whatever figures: what budmetrics is asked for is theirs, and never more."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import pytest
from sqlalchemy import text

from budapp.integrations import traffic
from tests.metrics.surface import control, share
from tests.surface.callers import CALLERS
from tests.surface.requests import fill
from tests.surface.shares import operations_of
from tests.surface.surface import Surface

_MEMBERSHIPS = """
    select p.id from project p join project_member m on m.project_id = p.id
    where m.user_id = :user and p.status = 'active'
      and (:any or m.scopes::text[] && array['endpoint:view', 'endpoint:manage'])
"""
_ALL = "select id from project where tenant_id = :tenant and project_type = 'admin_app' and status = 'active'"
_NO_SCOPE = {"GET /metrics/count", "GET /metrics/sync-stats"}
"""What budmetrics is not asked for."""
_BY_ID = "/metrics/inferences/{inference_id}"


async def _projects(surface: Surface, caller: str) -> set[str]:
    """Return the projects whose requests the caller may see, by rules of this test's own."""
    person = surface.person(caller)
    assert person is not None
    everything = caller in {"super_admin", "admin", "other_admin"}
    async with surface.database.read() as session:
        mine = {"user": person.id, "any": caller == "client"}
        found = {str(one) for one in await session.scalars(text(_MEMBERSHIPS), mine)}
        if everything:
            found |= {str(one) for one in await session.scalars(text(_ALL), {"tenant": person.tenant_id})}
    return found


@contextmanager
def _one_request(surface: Surface) -> Iterator[str]:
    """Send what the block sends under one request id, which tells it from other tests at budmetrics."""
    sent_as = uuid4().hex
    surface.client.headers["x-request-id"] = sent_as
    try:
        yield sent_as
    finally:
        del surface.client.headers["x-request-id"]


async def _asked(sent_as: str) -> list[dict[str, Any]]:
    """Return what budmetrics was asked for the request."""
    async with control() as http:
        found = (await http.get("/control/requests", params={"contains": sent_as})).json()
    return [request for request in found if "/observability/" in request["path"]]


def _scope_of(request: dict[str, Any]) -> tuple[str, set[str]]:
    """Return by which column, and by which projects, budmetrics was to count."""
    if request["method"] == "GET":
        return "project_id", set(parse_qs(request["query"])["project_id"])
    filters = request["body"]["filters"]
    [column] = {"project", "project_id", "api_key_project_id"} & filters.keys()
    return column, set(filters[column])


@pytest.mark.parametrize("operation", sorted(operations_of(share) - _NO_SCOPE))
async def test_budmetrics_is_asked_for_what_is_the_callers_and_no_more(
    surface: Surface, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "KEPT_SECONDS", 0)
    for caller in CALLERS:
        things = surface.scene.there if caller == "other_admin" else surface.scene.here
        with _one_request(surface) as sent_as:
            answer = await surface.ask(operation, caller, things)
        requests = await _asked(sent_as)
        if not answer.is_success:
            assert answer.status_code in {401, 403, 404}, answer.text
            assert _BY_ID in operation or not requests, f"{caller} is refused, and budmetrics was asked"
            continue
        allowed = await _projects(surface, caller)
        if _BY_ID in operation:
            column = "api_key_project_id" if caller == "client" else "project_id"
            assert answer.json().get(column) in {*allowed, None}
            continue
        assert bool(requests) == bool(allowed), f"{caller}: {len(requests)} requests for {len(allowed)} projects"
        scopes = [_scope_of(request) for request in requests]
        assert {column for column, _ in scopes} <= (
            {"api_key_project_id"} if caller == "client" else {"project", "project_id"}
        )
        if requests:
            assert set.union(*(projects for _, projects in scopes)) == allowed, caller


@pytest.mark.parametrize("operation", sorted(operations_of(share) - _NO_SCOPE))
@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 422}, {"status": 200}])
async def test_an_error_of_budmetrics_leads_to_no_other_question(
    surface: Surface, operation: str, fault: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "KEPT_SECONDS", 0)
    await surface.prepare(operation, "member", surface.scene.here)
    with _one_request(surface) as sent_as:
        async with control() as http:
            contains = {"contains": sent_as}
            await http.post("/control/faults", json={**contains, **fault})
            try:
                request = surface_request(surface, operation)
                answer = await surface.client.request(**request, headers=surface.scene.cast.developer.headers)
            finally:
                await http.delete("/control/faults", params=contains)
    asked = await _asked(sent_as)
    assert answer.status_code == 502, answer.text
    bodies = {json.dumps([one["path"], one["query"], one["body"]], sort_keys=True) for one in asked}
    assert asked
    assert len(bodies) <= (len(asked) if "top-routes" in operation else 1)
    for one in asked:
        if _BY_ID not in operation:
            assert _scope_of(one)[1]


def surface_request(surface: Surface, operation: str) -> dict[str, Any]:
    request = fill(operation, surface.scene.here)
    return {"method": request.method, "url": request.url, "json": request.body}
