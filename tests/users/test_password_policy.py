"""What a person reads whose password breaks a rule of the realm that budapp does not know by itself."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI

from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.integrations.keycloak import Keycloak
from budapp.integrations.password_rules import UNKNOWN_RULE, refused_password
from tests.cast import PASSWORD, Cast, Realms
from tests.users.test_users import NEW_PASSWORD, colleague, create, login, signed_in

SetPolicy = Callable[[str], Awaitable[None]]

RULES = [
    ("length(60)", "The password must have at least 60 characters"),
    ("maxLength(9)", "The password must have at most 9 characters"),
    ("digits(9)", "The password must have at least 9 digits"),
    ("upperCase(9)", "The password must have at least 9 upper-case letters"),
    ("lowerCase(50)", "The password must have at least 50 lower-case letters"),
    ("specialChars(9)", "The password must have at least 9 punctuation characters"),
    ("regexPattern(^x+$)", "The password does not match the pattern that the administrator set"),
]


@pytest.fixture
async def set_policy(app: FastAPI, realms: Realms, settings: Settings) -> AsyncIterator[SetPolicy]:
    """Set the policy of the cast's realm, as an administrator does in Keycloak's console; the usual one comes back."""
    realm = realms.clients[0].realm
    admin = components_of(app)[Keycloak].admin(realm)

    async def change(policy: str) -> None:
        await admin.a_update_realm(realm, {"passwordPolicy": policy})

    yield change
    await change(settings.keycloak_password_policy)


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body["param"], body["message"]


@pytest.mark.parametrize(("policy", "sentence"), RULES)
async def test_the_broken_rule_is_named_and_nobody_is_made(
    client: httpx.AsyncClient, cast: Cast, set_policy: SetPolicy, settings: Settings, policy: str, sentence: str
) -> None:
    await set_policy(policy)
    body = colleague()
    refused = await client.post("/users/", json=body, headers=cast.admin.headers)
    assert refusal(refused) == (422, "password", sentence)
    await set_policy(settings.keycloak_password_policy)
    again = await client.post("/users/", json=body, headers=cast.admin.headers)
    assert again.status_code == 200, "the refused account was left in Keycloak"


async def test_a_password_used_before_is_refused_and_the_last_one_still_counts(
    client: httpx.AsyncClient, cast: Cast, set_policy: SetPolicy
) -> None:
    await set_policy("passwordHistory(3)")
    user = await create(client, cast)
    headers = await signed_in(client, user["email"])
    path = f"/users/{user['id']}"
    assert (await client.patch(path, json={"password": NEW_PASSWORD}, headers=headers)).status_code == 200
    refused = await client.patch(path, json={"password": PASSWORD}, headers=headers)
    assert refusal(refused) == (422, "password", "The password must not be one of the last 3")
    assert (await login(client, user["email"], NEW_PASSWORD)).status_code == 200


async def test_the_e_mail_is_no_password(client: httpx.AsyncClient, cast: Cast) -> None:
    body = colleague()
    body["password"] = body["email"] = f"Colleague-{body['email']}"
    refused = await client.post("/users/", json=body, headers=cast.admin.headers)
    assert refusal(refused) == (422, "password", "The password must not be the e-mail address")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"error":"invalidPasswordMinLengthMessage"}', UNKNOWN_RULE),
        (b'{"error":"invalidPasswordOfTomorrow","error_description":"Invalid password"}', UNKNOWN_RULE),
        (b"Password policy not met", UNKNOWN_RULE),
        (b'["password"]', UNKNOWN_RULE),
        (b'{"field":"email","errorMessage":"invalid"}', None),
        (b"", None),
    ],
)
def test_what_keycloak_says_otherwise_is_still_told_apart(body: bytes, expected: str | None) -> None:
    assert refused_password(body) == expected
