"""Every place that takes an id is asked with ids out of the caller's reach: they must look like ids that nothing has.

The places are read off the OpenAPI document, so a new field is covered by itself.
"""

import random
import re
from typing import Any

import httpx
import pytest
from uuid_utils.compat import uuid4, uuid7

from tests.failures import failures
from tests.surface.callers import CALLERS
from tests.surface.matrix import succeeds
from tests.surface.requests import fill
from tests.surface.routes import ROUTES, Location, document
from tests.surface.scene import OF_NO_TENANT, fingerprints, ids_of
from tests.surface.surface import Surface, with_value

IN_REACH_OF_ALL = (
    "whoever calls names a tenant to sign in to, or to have a link mailed from; it opens nothing by itself"
)

NOT_404: dict[tuple[str, str], str] = {
    ("POST /auth/login", "body:tenant_id"): IN_REACH_OF_ALL,
    **{
        (f"GET /audit/{what}", f"query:{field}"): "a filter, on a trail that administrators see for the whole tenant"
        for what in ("records", "export")
        for field in ("user_id", "actioned_by", "resource_id")
    },
    ("POST /auth/logout", "body:tenant_id"): "is not read: the refresh token says whose it is",
    ("POST /users/reset-password", "body:tenant_id"): IN_REACH_OF_ALL,
    ("POST /oauth/login", "body:tenantId"): IN_REACH_OF_ALL,
    ("POST /models/deploy-workflow", "body:simulator_id"): "budsim's name of a simulation, and no row of ours",
    ("GET /oauth/providers", "query:tenant_id"): IN_REACH_OF_ALL,
    ("PATCH /playground/messages/{message_id}", "body:deployment_id"): "comes with a whole other answer, or is refused",
    ("POST /experiments/{experiment_id}/evaluations/workflow", "body:stage_data.trait_ids.0"): "its step is not due",
    ("POST /experiments/{experiment_id}/evaluations/workflow", "body:stage_data.dataset_ids.0"): "its step is not due",
    ("POST /experiments/workflow", "body:stage_data.trait_ids.0"): "its step is not due",
    ("POST /experiments/workflow", "body:stage_data.dataset_ids.0"): "its step is not due",
    ("POST /guardrails/deploy-workflow", "body:probe_selections.0.rules.0.id"): "is refused without the rule's probe",
    ("PUT /guardrails/profile/{profile_id}", "body:probe_selections.0.rules.0.id"): "is refused without its probe",
    ("POST /service-accounts", "body:custom_role_id"): "beside a role it is refused before anybody looks for it",
}
"""Places where an id out of reach is not 404, each with the reason; nothing may leak there either."""

FILTERS: dict[tuple[str, str], str] = {
    ("POST /audit/verify-batch", "body:0"): "is told of as a record that does not exist",
    ("GET /permissions/explain", "query:user_id"): "whoever may not view people is told so, whoever it is",
    ("GET /permissions/explain", "query:id"): "says that the row is out of reach or not there, and not which",
    ("GET /notifications", "query:project_id"): "a filter: what is out of reach has no messages",
    ("GET /prompts", "query:project_id"): "a filter: what is out of reach has no prompts in reach",
    ("GET /webhooks", "query:project_id"): "a filter: what is out of reach has no webhooks in reach",
    ("POST /billing/history", "body:project_id"): "a filter, on what the caller has used",
    ("GET /datasets", "query:project_id"): "a filter: what is out of reach holds nothing",
    ("GET /credentials/", "query:project_id"): "a filter: what is out of reach holds no keys in reach",
    ("GET /proprietary/credentials/", "query:id"): "a filter: what is out of reach is not in the list",
    ("GET /endpoints/", "query:project_id"): "a filter: what is out of reach holds nothing",
    ("GET /models/", "query:provider_id"): "a filter: only providers have models",
    **{
        (f"GET /experiments/{path}", f"query:{field}"): "a filter: what is out of reach has no scores in reach"
        for path, fields in {
            "": ("id", "project_id", "model_id"),
            "models": ("project_id",),
            "evaluations/all": ("endpoint_id", "model_id"),
            "scores": ("endpoint_id", "model_id", "dataset_id"),
        }.items()
        for field in fields
    },
    ("GET /guardrails/profile/{profile_id}/probes", "query:provider_id"): "a filter, by what all tenants share",
    ("GET /guardrails/probes", "query:provider_id"): "a filter, by what all tenants share",
    ("GET /guardrails/profiles", "query:provider_id"): "a filter, by what all tenants share",
    ("GET /guardrails/profiles", "query:project_id"): "a filter: what is out of reach has no profiles in reach",
    ("GET /experiments/traits", "query:unique_id"): "a filter, by what all tenants share",
    ("GET /credentials/cloud-providers/credentials", "query:provider_id"): "a filter, by what all tenants share",
}
"""Places where an id out of reach gives the same empty list as one that nothing has."""

CALLING = ("super_admin", "admin", "member", "reader", "client")


def outcome_of(answer: httpx.Response, sent: str) -> tuple[int, Any]:
    """Return status and body, without what differs from request to request."""
    body = answer.json()
    for own in ("request_id", "instance", "transaction_id"):
        body.pop(own, None)
    return answer.status_code, str(body).replace(sent, "<id>")


SAMPLE = 2
"""How many ids of other kinds than its own each place is tried with, beside a person's."""


def out_of_reach(surface: Surface, caller: str, place: Location) -> tuple[set[str], set[str]]:
    """Return ids of what is there, but not for the caller: all of the kind that the place takes, and some others."""
    scene = surface.scene
    hidden = {name: scene.here[name] for name in scene.hidden} if caller == "client" else scene.hidden
    field = [str(key).removesuffix("s") for key in place.keys if key != 0][-1:]
    fitting = {
        value
        for name, value in [*scene.there.items(), *hidden.items()]
        if name.endswith(tuple(field)) and name not in OF_NO_TENANT
    }
    others = sorted({*ids_of(scene.there), *ids_of(hidden)}.difference(fitting))
    chosen = random.Random(f"{caller} {place}").sample(others, min(SAMPLE, len(others)))
    return fitting, {str(scene.cast.other_developer.id), *chosen}


def places(surface: Surface, operation: str) -> list[Location]:
    return [place for place in surface.document.locations(operation) if place.takes_id]


async def test_an_id_out_of_reach_is_like_one_that_nothing_has(surface: Surface, with_ids: str) -> None:
    found = [place for place in places(surface, with_ids) if (with_ids, str(place)) not in NOT_404]
    if with_ids.startswith("GET "):
        await surface.prepare(with_ids, "super_admin", surface.scene.here)
    before = await fingerprints(surface.database)
    for place in found:
        for caller in CALLING:
            await _check_place(surface, with_ids, place, caller)
    assert await fingerprints(surface.database) == before


async def _check_place(surface: Surface, operation: str, place: Location, caller: str) -> None:
    """Send the ids; to those who may not do this at all, only what the place takes can make a difference."""
    valid, may = fill(operation, surface.scene.here), succeeds(operation, caller)
    fitting, others = out_of_reach(surface, caller, place)
    missing = {}
    for unused in (str(uuid4()), str(uuid7())) if may else (str(uuid4()),):
        missing[unused] = outcome_of(await surface.send(with_value(valid, place, unused), caller), unused)
    assert len(set(missing.values())) == 1
    expected = next(iter(missing.values()))
    expects_404 = may and (operation, str(place)) not in FILTERS
    assert expected[0] == 404 or not expects_404, f"{place} as {caller}: {expected}"
    for foreign in fitting | others if may else fitting:
        answer = await surface.send(with_value(valid, place, foreign), caller)
        assert outcome_of(answer, foreign) == expected, f"{place} as {caller} with {foreign}"


@pytest.mark.parametrize(("named", "location"), NOT_404)
async def test_where_an_id_of_another_tenant_is_allowed_nothing_of_it_leaks(
    surface: Surface, named: str, location: str
) -> None:
    foreign, sent = set(ids_of(surface.scene.there)), surface.scene.there["tenant_id"]
    [place] = [place for place in places(surface, named) if str(place) == location]
    for caller in CALLING:
        await surface.prepare(named, caller, surface.scene.here)
        answer = await surface.send(with_value(fill(named, surface.scene.here), place, sent), caller)
        assert not (foreign - {sent}) & set(re.findall(r"[0-9a-f-]{36}", answer.text))


async def test_no_answer_to_a_valid_request_names_anything_of_another_tenant(surface: Surface, reading: str) -> None:
    """Whatever is read or listed, found by id in the whole text of the answer."""
    theirs = {"here": set(ids_of(surface.scene.here)), "there": set(ids_of(surface.scene.there))}
    for caller, things, foreign in (
        ("super_admin", surface.scene.here, theirs["there"]),
        ("other_admin", surface.scene.there, theirs["here"]),
    ):
        answer = await surface.ask(reading, caller, things)
        assert not foreign & set(re.findall(r"[0-9a-f-]{36}", answer.text))


async def test_a_cursor_of_another_tenant_leads_to_no_row_of_it(surface: Surface, paged: str) -> None:
    foreign = set(ids_of(surface.scene.there))
    there = fill(paged, surface.scene.there)
    one = with_value(there, Location("query", ("limit",), {}), 1)
    await surface.prepare(paged, "other_admin", surface.scene.there)
    cursor = (await surface.send(one, "other_admin")).json()["next_cursor"]
    for caller in CALLING:
        here = with_value(fill(paged, surface.scene.here), Location("query", ("cursor",), {}), cursor)
        own = await surface.send(fill(paged, surface.scene.here), caller)
        answer = await surface.send(here, caller) if cursor else own
        assert answer.status_code == own.status_code
        assert not foreign & set(re.findall(r"[0-9a-f-]{36}", answer.text))
        if answer.is_success:
            assert answer.json()["total_record"] == own.json()["total_record"]


def test_every_exception_is_still_a_place_that_takes_an_id() -> None:
    assert set(CALLING) <= set(CALLERS)
    with failures() as failed:
        for named, place in [*NOT_404, *FILTERS]:
            with failed(f"{named} {place}"):
                assert named in ROUTES
                assert place in {str(found) for found in document().locations(named) if found.takes_id}
