"""The pure functions: whatever the rows say, what comes out is what the gateway's parser accepts."""

import json
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI
from uuid_utils.compat import uuid7

from budapp.commons.domain import components_of
from budapp.gateway_ops.entries import PUBLISHED, model_entries, published_entry, reason_against
from budapp.gateway_ops.rows import Deployment, ProviderAccess
from budapp.integrations.outgoing import Outgoing
from budapp.provider_credential_ops.fields import fields_of
from budapp.provider_ops.catalog import OfferedProvider, read_catalog
from budapp.provider_ops.modalities import of_keyword
from tests.gateway.reader import read_model

NOT_CALLABLE = {"elevenlabs"}
"""Providers of the catalogue whose API the gateway has no form for."""


def deployment(source: str, **fields: Any) -> Deployment:
    asked = fields_of(source)
    values = (
        {field.field: "https://x.test" if field.type == "url" else "value" for field in asked.fields} if asked else {}
    )
    key = values.pop("api_key", None)
    base: dict[str, Any] = {
        "id": uuid7(),
        "tenant_id": uuid7(),
        "project_id": uuid7(),
        "model_id": uuid7(),
        "name": "chat",
        "status": "running",
        "url": "budserve",
        "namespace": "model",
        "supported_endpoints": ("/v1/chat/completions",),
        "settings": None,
        "inference_cost": None,
        "is_published": False,
        "of_platform": True,
        "in_cloud": True,
        "source": source,
        "access": ProviderAccess(source, values, "ab12" if key else None),
        **fields,
    }
    return Deployment(**base)


async def offered(app: FastAPI) -> list[OfferedProvider]:
    return await read_catalog(None, components_of(app)[Outgoing])


def test_customers_may_call_what_the_platform_itself_runs_and_has_published() -> None:
    offered = deployment("openai", name="offered", is_published=True)
    changes: dict[str, dict[str, Any]] = {
        "of a tenant": {"of_platform": False},
        "not published": {"is_published": False},
        "not running": {"status": "unhealthy"},
        "served nowhere": {"supported_endpoints": ()},
    }
    kept_back = [replace(offered, name=name, **changed) for name, changed in changes.items()]
    entry = published_entry([offered, *kept_back])[PUBLISHED]
    assert {name: found["endpoint_id"] for name, found in json.loads(entry.value).items()} == {
        "offered": str(offered.id)
    }


async def test_every_model_of_the_catalogue_has_a_form_or_a_reason(app: FastAPI) -> None:
    refused = set()
    for provider in await offered(app):
        for model in provider.models:
            paths = tuple(of_keyword(model.kind)[1])
            one = deployment(provider.type, supported_endpoints=paths, namespace=model.uri.partition("/")[2])
            reason = reason_against(one)
            found = model_entries([one], {one.id}, "http://doc.test")
            assert bool(found) == (reason is None)
            for name, entry in found.items():
                read_model(name, entry.value)
            if reason is not None:
                refused.add(provider.type)
    assert refused == NOT_CALLABLE


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"access": None}, "it has no credential of openai"),
        ({"access": ProviderAccess("anthropic", {}, "ab")}, "it has no credential of openai"),
        ({"access": ProviderAccess("openai", {}, None)}, "GATEWAY_PUBLIC_KEY"),
        ({"supported_endpoints": ("/v1/rerank",)}, "the gateway serves none of its endpoints"),
        ({"name": "__metadata__"}, "the gateway takes its name for something else"),
        ({"name": "prompt:x"}, "the gateway takes its name for something else"),
    ],
)
def test_what_the_gateway_can_not_be_told_has_no_entry(fields: dict[str, Any], reason: str) -> None:
    one = deployment("openai", **fields)
    assert reason in (reason_against(one) or "")
    assert model_entries([one], {one.id}, None) == {}


def test_documents_are_read_by_the_reader_where_there_is_one() -> None:
    one = deployment("local", in_cloud=False, access=None, supported_endpoints=("/v1/documents",))
    [(name, entry)] = model_entries([one], set(), "http://doc.test").items()
    assert read_model(name, entry.value).routing == ["vllm", "buddoc"]
    [(name, entry)] = model_entries([replace(one)], set(), None).items()
    assert read_model(name, entry.value).routing == ["vllm"]


@pytest.mark.parametrize("settings", [{}, {"rate_limits": None}, {"rate_limits": {"algorithm": "unheard-of"}}])
def test_settings_that_say_nothing_leave_no_field(settings: dict[str, Any]) -> None:
    one = deployment("openai", settings=settings)
    [(name, entry)] = model_entries([one], set(), None).items()
    assert read_model(name, entry.value).rate_limits is None
