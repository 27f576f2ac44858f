"""Signing in at a company's own identity provider, in a real browser."""

import asyncio
import hashlib
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from budapp.audit.models import AuditEntry
from budapp.auth.single_sign_on import PendingSignOn
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.errors import Conflict
from budapp.commons.scopes import ROLE_SCOPES, UserRole
from budapp.integrations.dapr import DaprClient
from budapp.integrations.keycloak import Keycloak
from budapp.integrations.one_time import OneTimeValues
from budapp.main import create_app
from budapp.oauth_ops.models import TenantOAuthConfig, UserOAuthProvider
from budapp.oauth_ops.services import link
from budapp.user_ops.callers import Callers
from tests.audit.data import entries
from tests.cast import PASSWORD, Cast, Person
from tests.oauth.conftest import CLIENT_SECRET, Company, Site
from tests.permissions.people import assign, make_role
from tests.permissions.test_permissions import change, grant
from tests.refused_commits import refusing
from tests.stack import http_client

NO_ADDRESSES = dict.fromkeys(("issuer", "authorizationUrl", "tokenUrl", "jwksUrl", "userInfoUrl"))


@pytest.fixture(autouse=True)
def _nobody_known(site: Site, cast: Cast) -> None:
    """The database is a new one for each test."""
    components_of(site.app)[Callers].forget_all()


@pytest.fixture
async def configured(site: Site, company: Company, cast: Cast) -> None:
    answer = await site.configure(company, cast.admin.headers)
    assert answer.status_code == 200, answer.text


@pytest.fixture
async def employee(company: Company) -> str:
    """The address of somebody new at the company."""
    email = f"ann-{uuid4().hex[:8]}@corp.example"
    await company.employ(email)
    return email


async def run_out(site: Site, kind: str, secret: str) -> None:
    """Have the state store's time for it run out."""
    await components_of(site.app)[DaprClient].delete_state(f"{kind}:{hashlib.sha256(secret.encode()).hexdigest()}")


def bearer(answer: httpx.Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['result']['access_token']}"}


@pytest.mark.usefixtures("configured")
async def test_somebody_new_comes_in_by_the_provider_and_the_exchange_token_is_good_once(
    site: Site, cast: Cast, employee: str
) -> None:
    started = await site.start(cast)
    back = await site.visit(started["authUrl"], employee)
    assert back["state"] == started["state"]

    answers = await asyncio.gather(*(site.exchange(back["exchange_token"]) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    won = next(answer for answer in answers if answer.status_code == 200)
    me = (await site.http.get("/users/me", headers=bearer(won))).json()["user"]
    assert (me["email"], me["role"], me["user_type"], me["status"]) == (employee, "developer", "client", "active")
    sessions = (await site.http.get("/users/me/sessions", headers=bearer(won))).json()["sessions"]
    assert "Chrom" in str(sessions[0]["device"])
    renewed = {"refresh_token": won.json()["result"]["refresh_token"]}
    assert (await site.http.post("/auth/refresh-token", json=renewed)).status_code == 200


@pytest.mark.usefixtures("configured")
async def test_they_come_in_as_the_same_user_the_next_time(site: Site, cast: Cast, employee: str) -> None:
    ids = set()
    for _ in range(2):
        back = await site.visit((await site.start(cast))["authUrl"], employee)
        ids.add((await site.exchange(back["exchange_token"])).json()["result"]["user"]["id"])
    assert len(ids) == 1


@pytest.mark.usefixtures("configured")
async def test_an_account_with_the_same_address_is_only_linked_by_its_password(
    site: Site, company: Company, cast: Cast
) -> None:
    """Somebody who claims another one's address at a provider gets no further than the password of the account."""
    email = f"victim-{uuid4().hex[:8]}@corp.example"
    await company.employ(email, verified=False)
    body = {"name": "Victim", "email": email, "password": PASSWORD, "role": "tester", "user_type": "admin"}
    made = await site.http.post("/users/", json=body, headers=cast.admin.headers)
    assert made.status_code == 200, made.text
    started = await site.start(cast)
    await site.get_stuck(started["authUrl"], email, "Invalid", account_password="Not-The-Password-1")
    back = await site.visit((await site.start(cast))["authUrl"], email, account_password=PASSWORD)
    user = (await site.exchange(back["exchange_token"])).json()["result"]["user"]
    assert (user["id"], user["status"]) == (made.json()["user"]["id"], "active")


@pytest.mark.usefixtures("configured")
async def test_an_address_that_the_provider_has_not_verified_lets_nobody_in_and_holds_nothing(
    site: Site, company: Company, cast: Cast
) -> None:
    email = f"eve-{uuid4().hex[:8]}@corp.example"
    await company.employ(email, verified=False)
    back = await site.visit((await site.start(cast))["authUrl"], email)
    assert back["error"] == "email_unverified"
    assert await company.keycloak.find_user(company.realm, email) is None
    body = {"name": "Real", "email": email, "password": PASSWORD, "role": "tester", "user_type": "admin"}
    assert (await site.http.post("/users/", json=body, headers=cast.admin.headers)).status_code == 200


async def test_who_is_not_of_an_allowed_domain_or_not_invited_stays_out(
    site: Site, company: Company, cast: Cast, employee: str
) -> None:
    await site.configure(company, cast.admin.headers, allowedDomains=["other.example"])
    back = await site.visit((await site.start(cast))["authUrl"], employee)
    assert back["error"] == "domain_not_allowed"
    await site.configure(company, cast.admin.headers, autoCreateUsers=False)
    back = await site.visit((await site.start(cast))["authUrl"], employee)
    assert back["error"] == "not_invited"
    assert await company.keycloak.find_user(company.realm, employee) is None


async def test_an_enforced_domain_signs_in_at_the_provider_only_but_for_super_administrators(
    site: Site, company: Company, cast: Cast
) -> None:
    login = {"email": cast.manager.email, "password": PASSWORD}
    assert (await site.http.post("/auth/login", json=login)).status_code == 200
    await site.configure(company, cast.admin.headers, allowedDomains=["example.com"], configData={"enforced": True})
    refused = await site.http.post("/auth/login", json=login)
    wrong = await site.http.post("/auth/login", json=login | {"password": "Wrong-Horse-1"})
    assert (refused.status_code, refused.json()["message"]) == (400, wrong.json()["message"])
    of_admin = {"email": cast.admin.email, "password": PASSWORD}
    assert (await site.http.post("/auth/login", json=of_admin)).status_code == 200
    await site.http.put(f"/admin/oauth/disable/{cast.tenant_id}/oidc", headers=cast.admin.headers)
    assert (await site.http.post("/auth/login", json=login)).status_code == 200, "there is no other way in"


@pytest.mark.usefixtures("configured")
async def test_a_deleted_user_does_not_come_back_by_the_provider(site: Site, cast: Cast, employee: str) -> None:
    back = await site.visit((await site.start(cast))["authUrl"], employee)
    user = (await site.exchange(back["exchange_token"])).json()["result"]["user"]
    gone = await site.http.delete(f"/users/{user['id']}?remove_credential=true", headers=cast.admin.headers)
    assert gone.status_code == 200, gone.text
    await site.get_stuck((await site.start(cast))["authUrl"], employee, "disabled")


async def test_a_super_administrator_is_let_in_by_no_provider(site: Site, company: Company, cast: Cast) -> None:
    """Whoever sets a provider up could come in as anybody that it vouches for."""
    await company.employ(cast.admin.email)
    await site.configure(company, cast.manager.headers, allowedDomains=["example.com"])
    back = await site.visit((await site.start(cast))["authUrl"], cast.admin.email, account_password=PASSWORD)
    assert back["error"] == "password_only"


@pytest.mark.usefixtures("configured")
async def test_a_return_counts_once_and_in_time(site: Site, cast: Cast, employee: str) -> None:
    started = await site.start(cast)
    await site.visit(started["authUrl"], employee)
    late = await site.start(cast)
    await run_out(site, "sign_on", late["state"])
    for state in (started["state"], late["state"], "forged"):
        answer = await site.http.get("/oauth/secure-callback", params={"state": state, "code": "guess"})
        assert answer.status_code == 302
        assert answer.headers["location"] == f"{site.base}/login?error=expired"


@pytest.mark.usefixtures("configured")
async def test_a_code_of_somebody_elses_sign_in_is_worth_nothing(site: Site, cast: Cast) -> None:
    started = await site.start(cast)
    await site.http.get(started["authUrl"])
    answer = await site.http.get("/oauth/secure-callback", params={"state": started["state"], "code": "0.stolen.code"})
    assert answer.headers["location"].startswith(f"{site.frontend}?error=expired")


@pytest.mark.usefixtures("configured")
async def test_what_goes_wrong_at_the_provider_is_told_by_a_code_alone(site: Site, cast: Cast) -> None:
    for error, code in (("access_denied", "access_denied"), ("<script>", "provider_error")):
        started = await site.start(cast)
        await site.http.get(started["authUrl"])
        state = started["state"]
        answer = await site.http.get("/oauth/secure-callback", params={"state": state, "error": error})
        assert answer.headers["location"] == f"{site.frontend}?error={code}&state={state}"


@pytest.mark.usefixtures("configured")
async def test_a_sign_in_ends_only_in_the_browser_that_it_began_in(site: Site, cast: Cast, database: Database) -> None:
    """Nobody is signed in as somebody else by opening the end of that person's sign-in."""
    mallory, victim = (http_client(site.base) for _ in range(2))
    async with mallory, victim:
        started, other = await site.start(cast), await site.start(cast)
        left = await mallory.get(started["authUrl"])
        assert left.headers["location"].startswith(f"{components_of(site.app)[Keycloak].public_url}/realms/")
        assert "HttpOnly" in left.headers["set-cookie"]
        assert "SameSite=lax" in left.headers["set-cookie"]
        await victim.get(other["authUrl"])

        end = {"state": started["state"], "code": "of-mallory"}
        refused = await victim.get("/oauth/secure-callback", params=end)
        assert refused.headers["location"] == f"{site.frontend}?error=other_browser&state={started['state']}"
        (entry,) = await entries(database, AuditEntry.action == "login_failed")
        assert entry.details is not None
        assert entry.details["reason"] == "other_browser"
        late = await mallory.get("/oauth/secure-callback", params=end)
        assert late.headers["location"] == f"{site.base}/login?error=expired"


@pytest.mark.usefixtures("configured")
async def test_a_browser_may_depart_again_and_another_one_may_not(site: Site, cast: Cast) -> None:
    started = await site.start(cast)
    async with http_client(site.base) as first, http_client(site.base) as second:
        there = (await first.get(started["authUrl"])).headers["location"]
        assert (await first.get(started["authUrl"])).headers["location"] == there
        for url in (started["authUrl"], f"{site.base}/oauth/departure?state=forged"):
            answer = await second.get(url)
            assert answer.headers["location"] == f"{site.base}/login?error=expired"
            assert "set-cookie" not in answer.headers


async def test_behind_https_the_cookie_is_of_this_host_alone(
    site: Site, company: Company, cast: Cast, settings: Settings
) -> None:
    await site.configure(company, cast.admin.headers)
    started = await site.start(cast)
    app = create_app(settings.model_copy(update={"public_url": "https://api.example.com"}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://api.example.com") as client:
        answer = await client.get("/oauth/departure", params={"state": started["state"]})
    await components_of(app).close()
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-")
    assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


@pytest.mark.usefixtures("configured")
async def test_an_id_token_with_another_nonce_lets_nobody_in(site: Site, cast: Cast, employee: str) -> None:
    started, kept = await site.start(cast), components_of(site.app)[OneTimeValues]

    async def change_the_nonce() -> None:
        pending = await kept.look("sign_on", started["state"], PendingSignOn)
        assert pending is not None
        changed = pending.model_copy(update={"nonce": "another"})
        await kept.put("sign_on", started["state"], changed, timedelta(minutes=1))

    back = await site.visit(started["authUrl"], employee, meanwhile=change_the_nonce)
    assert back["error"] == "provider_error"
    assert "exchange_token" not in back


@pytest.mark.usefixtures("configured")
async def test_an_exchange_token_expires(site: Site, cast: Cast, employee: str) -> None:
    back = await site.visit((await site.start(cast))["authUrl"], employee)
    await run_out(site, "exchange_token", back["exchange_token"])
    assert (await site.exchange(back["exchange_token"])).status_code == 400


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    "url", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "http://127.0.0.1:1"]
)
async def test_the_browser_is_sent_to_no_other_address_than_the_frontends(site: Site, cast: Cast, url: str) -> None:
    body = {"provider": "oidc", "tenantId": str(cast.tenant_id), "redirectUri": url}
    answer = await site.http.post("/oauth/login", json=body)
    assert (answer.status_code, answer.json()["param"]) == (422, "redirectUri")


@pytest.mark.usefixtures("configured")
async def test_a_disabled_provider_and_a_disabled_tenant_let_nobody_in(
    site: Site, company: Company, cast: Cast, employee: str
) -> None:
    under_way = await site.start(cast)
    await site.http.get(under_way["authUrl"])
    path = f"/admin/oauth/disable/{cast.tenant_id}/oidc"
    assert (await site.http.put(path, headers=cast.admin.headers)).json()["result"]["enabled"] is False
    at_keycloak = await company.keycloak.admin(company.realm).a_get_idp("oidc")
    assert at_keycloak["enabled"] is False
    body = {"provider": "oidc", "tenantId": str(cast.tenant_id), "redirectUri": site.frontend}
    assert (await site.http.post("/oauth/login", json=body)).status_code == 404
    answer = await site.http.get("/oauth/secure-callback", params={"state": under_way["state"], "code": "any"})
    assert "error=provider_disabled" in answer.headers["location"]
    offered = (await site.http.get("/oauth/providers", params={"tenant_id": str(cast.tenant_id)})).json()
    assert offered["result"]["providers"] == []


@pytest.mark.usefixtures("configured")
async def test_linking_is_for_the_own_account(site: Site, cast: Cast, employee: str) -> None:
    body = {"provider": "oidc", "redirectUri": site.frontend}
    started = await site.http.post("/oauth/link", json=body, headers=cast.developer.headers)
    back = await site.visit(started.json()["result"]["authUrl"], employee)
    assert back["error"] == "other_account"


@pytest.mark.usefixtures("configured")
async def test_the_secret_is_shown_to_nobody_and_lies_sealed(site: Site, cast: Cast, database: Database) -> None:
    path = f"/admin/oauth/configurations/{cast.tenant_id}"
    answer = await site.http.get(path, headers=cast.admin.headers)
    assert answer.json()["result"][0]["allowedDomains"] == ["corp.example"]
    assert CLIENT_SECRET not in answer.text
    async with database.read() as session:
        row = await session.get(TenantOAuthConfig, answer.json()["result"][0]["id"])
        assert row is not None
        assert CLIENT_SECRET not in row.client_secret_encrypted


async def test_another_tenants_providers_are_out_of_reach(site: Site, company: Company, cast: Cast) -> None:
    other = str(cast.other_tenant_id)
    answers = [
        await site.configure(company, cast.admin.headers, tenantId=other),
        await site.http.get(f"/admin/oauth/configurations/{other}", headers=cast.admin.headers),
        await site.http.put(f"/admin/oauth/disable/{other}/oidc", headers=cast.admin.headers),
    ]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert (await site.configure(company, cast.developer.headers)).status_code == 403


async def test_only_administrators_who_hold_all_of_it_reach_providers(client: httpx.AsyncClient, cast: Cast) -> None:
    """Whoever sets a provider up can come in as anybody that it vouches for."""

    async def reached() -> int:
        path = f"/admin/oauth/configurations/{cast.tenant_id}"
        return (await client.get(path, headers=cast.manager.headers)).status_code

    assert await reached() == 200
    await change(client, cast.admin, cast.manager.id, grant("model:benchmark", False))
    assert await reached() == 403
    await change(client, cast.admin, cast.manager.id, grant("model:benchmark"))
    assert await reached() == 200
    role = await make_role(client, cast.admin, "All of it", *sorted(ROLE_SCOPES[UserRole.ADMIN]))
    assert (await assign(client, cast.admin, cast.manager.id, role["id"])).status_code == 200
    assert await reached() == 403


async def test_a_configuration_that_fails_to_commit_leaves_no_provider(
    site: Site, company: Company, cast: Cast, database: Database
) -> None:
    keycloak = company.keycloak.admin(company.realm)
    for provider in await keycloak.a_get_idps():  # what other tests have configured
        await keycloak.a_delete_idp(provider["alias"])
    async with refusing(database, "tenant_oauth_config", "insert"):
        assert (await site.configure(company, cast.admin.headers)).status_code == 500
    assert await keycloak.a_get_idps() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"allowedDomains": ["not a domain"]},
        {"allowedDomains": [], "configData": {"enforced": True}},
        {"configData": {"jwksUrl": None}},
        {"configData": {"tokenUrl": "file:///etc/passwd"}},
        {"configData": {"unknown": "x"}},
        {"configData": {"defaultRole": "super_admin"}},
        {"provider": "google"},
        {"provider": "facebook"},
        {"provider": "microsoft", "configData": NO_ADDRESSES},
        {"provider": "microsoft", "configData": NO_ADDRESSES | {"directory": "Common"}},
        {"clientSecret": ""},
    ],
)
async def test_a_configuration_that_makes_no_sense_is_422(
    site: Site, company: Company, cast: Cast, changes: dict[str, object]
) -> None:
    answer = await site.configure(company, cast.admin.headers, **changes)
    assert answer.status_code == 422, answer.text


async def test_addresses_of_providers_are_public_and_https_unless_a_setting_allows_else(
    site: Site, company: Company, cast: Cast
) -> None:
    body = {
        "provider": "oidc",
        "clientId": "platform",
        "clientSecret": CLIENT_SECRET,
        "configData": company.config_data,
    }
    settings: Settings = components_of(site.app)[Settings]
    strict = create_app(settings.model_copy(update={"outgoing_networks": []}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(strict), base_url=site.base) as client:
        answer = await client.post("/admin/oauth/configure", json=body, headers=cast.admin.headers)
    await components_of(strict).close()
    assert (answer.status_code, answer.json()["param"]) == (422, "configData.issuer")


@pytest.mark.usefixtures("configured")
async def test_whoever_came_in_by_a_provider_comes_in_again_once_it_was_disabled_and_enabled(
    site: Site, company: Company, cast: Cast, employee: str
) -> None:
    back = await site.visit((await site.start(cast))["authUrl"], employee)
    before = (await site.exchange(back["exchange_token"])).json()["result"]["user"]["id"]
    path = f"/admin/oauth/disable/{cast.tenant_id}/oidc"
    assert (await site.http.put(path, headers=cast.admin.headers)).status_code == 200
    assert (await site.configure(company, cast.admin.headers)).status_code == 200
    back = await site.visit((await site.start(cast))["authUrl"], employee)
    assert (await site.exchange(back["exchange_token"])).json()["result"]["user"]["id"] == before


@pytest.mark.usefixtures("configured")
async def test_an_account_that_was_there_before_the_refused_sign_in_is_left_alone(
    site: Site, company: Company, cast: Cast, employee: str
) -> None:
    await company.keycloak.admin(company.realm).a_create_user(
        {
            "username": employee,
            "email": employee,
            "emailVerified": True,
            "enabled": True,
            "firstName": "Ann",
            "lastName": "Other",
            "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
        }
    )
    await site.configure(company, cast.admin.headers, autoCreateUsers=False)
    back = await site.visit((await site.start(cast))["authUrl"], employee, account_password=PASSWORD)
    assert back["error"] == "not_invited"
    assert await company.keycloak.find_user(company.realm, employee) is not None


@pytest.mark.usefixtures("configured")
async def test_a_temporary_password_must_still_be_changed_after_a_sign_in_at_a_provider(
    site: Site, company: Company, cast: Cast, employee: str
) -> None:
    body = {"name": "New", "email": employee, "password": PASSWORD, "role": "tester", "user_type": "admin"}
    assert (await site.http.post("/users/", json=body, headers=cast.admin.headers)).status_code == 200
    back = await site.visit((await site.start(cast))["authUrl"], employee, account_password=PASSWORD)
    assert "exchange_token" in back
    answer = await site.http.post(
        "/auth/login", json={"email": employee, "password": PASSWORD, "tenant_id": str(cast.tenant_id)}
    )
    assert answer.json()["is_reset_password"] is True, answer.text


@pytest.mark.usefixtures("configured")
async def test_a_return_while_keycloak_is_down_sends_the_browser_back_all_the_same(site: Site, cast: Cast) -> None:
    started = await site.start(cast)
    state, cookies = started["state"], (await site.http.get(started["authUrl"])).cookies
    settings: Settings = components_of(site.app)[Settings]
    lonely = create_app(settings.model_copy(update={"keycloak_server_url": "http://127.0.0.1:1"}))
    transport = httpx.ASGITransport(lonely)
    async with httpx.AsyncClient(transport=transport, base_url=site.base, cookies=cookies) as client:
        answer = await client.get("/oauth/secure-callback", params={"state": state, "code": "any"})
    await components_of(lonely).close()
    assert answer.headers["location"] == f"{site.frontend}?error=failed&state={state}"


@pytest.mark.usefixtures("configured")
async def test_without_the_state_store_nobody_departs_and_who_returns_is_sent_back_to_begin_again(
    site: Site, cast: Cast
) -> None:
    state = (await site.start(cast))["state"]
    settings: Settings = components_of(site.app)[Settings]
    lonely = create_app(settings.model_copy(update={"dapr_base_url": "http://127.0.0.1:1"}))
    transport = httpx.ASGITransport(lonely)
    async with httpx.AsyncClient(transport=transport, base_url=site.base) as client:
        body = {"provider": "oidc", "tenantId": str(cast.tenant_id), "redirectUri": site.frontend}
        departure = await client.post("/oauth/login", json=body)
        back = await client.get("/oauth/secure-callback", params={"state": state, "code": "any"})
        exchange = await client.post("/auth/token/exchange", json={"exchange_token": "any"})
    await components_of(lonely).close()
    assert (departure.status_code, exchange.status_code) == (503, 503)
    assert back.headers["location"] == f"{site.base}/login?error=failed"


async def test_what_a_provider_calls_somebody_is_theirs_alone_and_of_that_provider(
    cast: Cast, database: Database
) -> None:
    async def noted(person: Person, provider: str, external_id: str) -> None:
        async with database.write() as session:
            await link(session, cast.tenant_id, person.id, provider, external_id)

    await noted(cast.developer, "oidc", "one")
    await noted(cast.developer, "github", "other")
    with pytest.raises(Conflict):
        await noted(cast.tester, "oidc", "one")
    links = select(UserOAuthProvider.provider, UserOAuthProvider.external_id)
    async with database.read() as session:
        found = await session.execute(links.where(UserOAuthProvider.user_id == cast.developer.id))
        assert {(row.provider, row.external_id) for row in found} == {("oidc", "one"), ("github", "other")}
