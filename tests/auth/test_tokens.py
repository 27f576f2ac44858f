"""What counts as an access token, and what does not."""

import base64
import hashlib
import hmac
import json
import time
from datetime import datetime, tzinfo
from typing import Any, Self

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI

from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.integrations.keycloak import Keycloak, RealmClient
from budapp.user_ops.callers import Callers
from tests.cast import PASSWORD, Cast


async def me(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.get("/users/me", headers={"Authorization": f"Bearer {token}"})


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


async def test_no_token_is_401_and_says_how_to_sign_in(client: httpx.AsyncClient, cast: Cast) -> None:
    answer = await client.get("/users/me")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a.b.c", "Bearer " + "x" * 20_000])
async def test_what_is_no_token_is_401(client: httpx.AsyncClient, cast: Cast, header: str) -> None:
    assert (await client.get("/users/me", headers={"Authorization": header})).status_code == 401


@pytest.mark.parametrize("kind", ["refresh_token", "id_token"])
async def test_a_refresh_or_id_token_is_never_an_access_token(client: httpx.AsyncClient, cast: Cast, kind: str) -> None:
    assert (await me(client, cast.admin.tokens[kind])).status_code == 401


async def test_a_token_signed_by_somebody_else_is_401(client: httpx.AsyncClient, cast: Cast) -> None:
    header, claims = parts(cast.admin.tokens["access_token"])
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forged = jwt.encode(claims, key, algorithm="RS256", headers={"kid": header["kid"]})
    assert (await me(client, forged)).status_code == 401


async def test_a_token_signed_with_the_public_key_as_a_shared_secret_is_401(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI
) -> None:
    header, claims = parts(cast.admin.tokens["access_token"])
    await me(client, cast.admin.tokens["access_token"])
    realm = components_of(app)[Settings].default_realm_name
    keys = await components_of(app)[Keycloak].signing_keys(realm)
    public = jwt.PyJWK(next(key for key in keys["keys"] if key["kid"] == header["kid"])).key
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    unsigned = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "HS256", "typ": "JWT", "kid": header["kid"]}, claims)
    )
    mac = hmac.new(pem, unsigned.encode(), hashlib.sha256).digest()
    forged = f"{unsigned}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    assert (await me(client, forged)).status_code == 401


async def test_a_token_without_signature_is_401(client: httpx.AsyncClient, cast: Cast) -> None:
    header, claims = parts(cast.admin.tokens["access_token"])
    unsigned = jwt.encode(claims, "", algorithm="none", headers={"kid": header["kid"]})
    assert (await me(client, unsigned)).status_code == 401


async def test_a_changed_claim_breaks_the_token(client: httpx.AsyncClient, cast: Cast) -> None:
    head, _, signature = cast.developer.tokens["access_token"].split(".")
    _, claims = parts(cast.developer.tokens["access_token"])
    _, admin_claims = parts(cast.admin.tokens["access_token"])
    changed = base64.urlsafe_b64encode(json.dumps(claims | {"sub": admin_claims["sub"]}).encode()).decode().rstrip("=")
    assert (await me(client, f"{head}.{changed}.{signature}")).status_code == 401


async def test_a_token_of_another_client_of_the_realm_is_401(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI
) -> None:
    realm = components_of(app)[Settings].default_realm_name
    _, other_client = await components_of(app)[Keycloak].ensure_client(realm, "another-application")
    tokens = await components_of(app)[Keycloak].sign_in(other_client, cast.admin.email, PASSWORD, remember=False)
    assert (await me(client, tokens["access_token"])).status_code == 401


async def test_a_token_for_us_that_another_client_asked_for_is_401(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI
) -> None:
    settings, keycloak = components_of(app)[Settings], components_of(app)[Keycloak]
    realm = settings.default_realm_name
    mapper = {
        "name": "audience",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {"included.client.audience": settings.default_client_name, "access.token.claim": "true"},
    }
    client_id = f"neighbour-{time.time_ns()}"
    representation = {
        "clientId": client_id,
        "secret": "secret",
        "directAccessGrantsEnabled": True,
        "protocolMappers": [mapper],
    }
    await keycloak.admin(realm).a_create_client(representation)
    neighbour = RealmClient(realm, client_id, "secret")
    token = (await keycloak.sign_in(neighbour, cast.admin.email, PASSWORD, remember=False))["access_token"]
    _, claims = parts(token)
    assert settings.default_client_name in claims["aud"]
    assert claims["azp"] == client_id
    assert (await me(client, token)).status_code == 401


async def test_a_token_that_we_asked_for_but_for_somebody_else_is_401(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI
) -> None:
    settings, keycloak = components_of(app)[Settings], components_of(app)[Keycloak]
    realm = settings.default_realm_name
    admin = keycloak.admin(realm)
    internal_id, ours = await keycloak.ensure_client(realm, settings.default_client_name)
    mappers = await admin.a_get_mappers_from_client(internal_id)
    audience = next(mapper for mapper in mappers if mapper["name"] == "audience")
    await admin.a_remove_client_mapper(internal_id, audience["id"])
    try:
        token = (await keycloak.sign_in(ours, cast.admin.email, PASSWORD, remember=False))["access_token"]
    finally:
        await admin.a_add_mapper_to_client(internal_id, {k: v for k, v in audience.items() if k != "id"})
    _, claims = parts(token)
    assert claims["azp"] == settings.default_client_name
    assert settings.default_client_name not in claims.get("aud", [])
    assert (await me(client, token)).status_code == 401


async def test_a_token_of_a_realm_that_is_no_tenant_is_401(client: httpx.AsyncClient, cast: Cast, app: FastAPI) -> None:
    settings = components_of(app)[Settings]
    claims = {"iss": f"{settings.keycloak_server_url}/realms/master", "sub": "x", "exp": time.time() + 60}
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    token = jwt.encode(claims, key, algorithm="RS256", headers={"kid": "x"})
    assert (await me(client, token)).status_code == 401


@pytest.mark.parametrize(("seconds_late", "status"), [(-60, 200), (4, 200), (6, 401), (600, 401)])
async def test_a_token_is_taken_until_five_seconds_after_it_expires(
    client: httpx.AsyncClient, cast: Cast, monkeypatch: pytest.MonkeyPatch, seconds_late: int, status: int
) -> None:
    token = cast.developer.tokens["access_token"]
    _, claims = parts(token)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(claims["exp"] + seconds_late, tz)

    monkeypatch.setattr("jwt.api_jwt.datetime", Clock)
    answer = await me(client, token)
    assert answer.status_code == status, answer.text
    assert ("expired" in answer.text) is (status == 401)


async def test_a_warm_caller_costs_no_statement(client: httpx.AsyncClient, cast: Cast, statements: list[str]) -> None:
    await me(client, cast.admin.tokens["access_token"])
    statements.clear()
    assert (await me(client, cast.admin.tokens["access_token"])).status_code == 200
    assert statements == []


async def test_a_caller_is_read_anew_within_five_seconds(app: FastAPI) -> None:
    assert components_of(app)[Settings].caller_cache_seconds <= 5


async def test_the_realm_says_the_tenant_not_the_person(client: httpx.AsyncClient, cast: Cast, app: FastAPI) -> None:
    await me(client, cast.other_admin.tokens["access_token"])
    caller = components_of(app)[Callers].get(cast.other_admin.tokens["access_token"])
    assert caller is not None
    assert caller.tenant_id == cast.other_tenant_id


async def test_headers_of_the_clients_choice_change_nothing(client: httpx.AsyncClient, cast: Cast) -> None:
    forged = {"X-Resource-Type": "project", "X-Entity-Id": str(cast.admin.id), "X-Tenant-Id": str(cast.tenant_id)}
    answer = await client.get("/users/", headers=cast.developer.headers | forged)
    assert answer.status_code == 403
