"""Every route that changes something leaves an entry: the calls, one for each, are listed here."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import pytest
from fastapi import FastAPI

from budapp.audit.models import AuditEntry
from budapp.billing_ops.models import FREE_PLAN_ID
from budapp.commons.database import Database
from budapp.commons.domain import components_of, routes_of
from budapp.domains import DOMAINS
from budapp.integrations.keycloak import Keycloak
from budapp.model_ops.models import Model
from budapp.user_ops.models import User
from tests.audit.data import entries
from tests.auth.test_password_resets import mails
from tests.cast import PASSWORD, Cast, Person
from tests.datasets.data import CSV, put, send_parts
from tests.datasets.data import begin as begin_upload_of
from tests.projects.data import join
from tests.surface.scene import furnish_models


@dataclass(frozen=True)
class Ground:
    """What the calls find."""

    client: httpx.AsyncClient
    cast: Cast
    database: Database
    project_id: str
    version: str
    keycloak: Keycloak

    async def send(self, method: str, path: str, body: Any = None, by: Person | None = None) -> httpx.Response:
        headers = (by or self.cast.admin).headers
        return await self.client.request(method, path, json=body, headers=headers)

    async def register(self) -> httpx.Response:
        body = {"name": "New", "email": f"new-{self.project_id}@example.com", "password": PASSWORD}
        return await self.client.post("/auth/register", json=body)

    async def somebody(self) -> str:
        body = {"name": "Somebody", "email": f"some-{self.project_id}@example.com", "password": PASSWORD}
        answer = await self.send("POST", "/users/", body | {"role": "developer", "user_type": "admin"})
        return str(answer.json()["user"]["id"])

    async def upload(self) -> dict[str, Any]:
        upload: dict[str, Any] = (await begin_upload_of(self.client, self.cast.manager, self.version, len(CSV))).json()
        return upload


Call = Callable[[Ground], Awaitable[httpx.Response]]


def simple(method: str, path: str, body: Any = None, by: str = "admin") -> Call:
    async def call(ground: Ground) -> httpx.Response:
        values = {"project": ground.project_id, "version": ground.version, "developer": ground.cast.developer.id}
        values["other_tenant"] = ground.cast.other_tenant_id
        values["dataset"] = ground.version.rpartition("/versions")[0]
        return await ground.send(method, path.format(**values), body, getattr(ground.cast, by))

    return call


async def sign_in(ground: Ground) -> httpx.Response:
    email = ground.cast.tester.email
    return await ground.client.post("/auth/login", json={"email": email, "password": PASSWORD})


async def sign_out(ground: Ground) -> httpx.Response:
    tokens = (await sign_in(ground)).json()["token"]
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return await ground.client.post("/auth/logout", json={"refresh_token": tokens["refresh_token"]}, headers=headers)


async def ask_for_link(ground: Ground) -> httpx.Response:
    return await ground.client.post("/users/reset-password", json={"email": ground.cast.tester.email})


async def use_link(ground: Ground) -> httpx.Response:
    await ask_for_link(ground)
    token = (await mails(ground.database))[-1]["token"]
    body = {"token": token, "new_password": PASSWORD, "confirm_password": PASSWORD}
    return await ground.client.post("/users/reset-password-with-token", json=body)


async def grant(ground: Ground) -> httpx.Response:
    body = [{"name": "user:view", "has_permission": True}]
    return await ground.send("PUT", f"/permissions/{ground.cast.developer.id}/global", body)


async def grant_in_project(ground: Ground) -> httpx.Response:
    permissions = [{"name": "endpoint:view", "has_permission": True}]
    body = {"user_id": str(ground.cast.developer.id), "project_id": ground.project_id, "permissions": permissions}
    return await ground.send("PATCH", "/permissions/project", [body])


async def onboard(ground: Ground) -> httpx.Response:
    async with ground.database.write() as session:
        user = await session.get_one(User, ground.cast.developer.id)
        user.first_login = True
    return await ground.send("PATCH", "/users/onboard", by=ground.cast.developer)


async def create_user(ground: Ground) -> httpx.Response:
    await ground.somebody()
    return httpx.Response(200)


async def delete_user(ground: Ground) -> httpx.Response:
    return await ground.send("DELETE", f"/users/{await ground.somebody()}")


async def reactivate_user(ground: Ground) -> httpx.Response:
    path = f"/users/{await ground.somebody()}"
    await ground.send("DELETE", path)
    return await ground.send("PATCH", f"{path}/reactivate")


async def add_to_project(ground: Ground) -> httpx.Response:
    body = {"users": [{"user_id": str(ground.cast.developer.id), "scopes": ["endpoint:view"]}]}
    return await ground.send("POST", f"/projects/{ground.project_id}/add-users", body)


async def remove_from_project(ground: Ground) -> httpx.Response:
    await join(ground.database, ground.project_id, ground.cast.developer)
    body = {"user_ids": [str(ground.cast.developer.id)]}
    return await ground.send("POST", f"/projects/{ground.project_id}/remove-users", body)


async def begin_upload(ground: Ground) -> httpx.Response:
    return await begin_upload_of(ground.client, ground.cast.manager, ground.version, len(CSV))


async def complete_upload(ground: Ground) -> httpx.Response:
    upload = await ground.upload()
    body = {"parts": await send_parts(upload, CSV)}
    path = f"{ground.version}/uploads/{upload['file']['id']}/complete"
    return await ground.send("POST", path, body, ground.cast.manager)


async def abort_upload(ground: Ground) -> httpx.Response:
    path = f"{ground.version}/uploads/{(await ground.upload())['file']['id']}"
    return await ground.send("DELETE", path, by=ground.cast.manager)


async def put_file(ground: Ground) -> httpx.Response:
    return await put(ground.client, ground.cast.manager, ground.version)


async def remove_delivery(ground: Ground) -> httpx.Response:
    await ground.send("PUT", "/audit/delivery", {"kind": "webhook", "url": "https://1.1.1.1/"})
    return await ground.send("DELETE", "/audit/delivery")


async def set_up_billing(ground: Ground) -> httpx.Response:
    body = {"user_id": str(ground.cast.client.id), "billing_plan_id": str(FREE_PLAN_ID)}
    return await ground.send("POST", "/billing/setup", body)


async def change_plan(ground: Ground) -> httpx.Response:
    await set_up_billing(ground)
    body = {"user_id": str(ground.cast.client.id), "billing_plan_id": str(FREE_PLAN_ID), "custom_token_quota": 7}
    return await ground.send("PUT", "/billing/plan", body)


def ending_sessions(path: str, by: str = "tester") -> Call:
    async def call(ground: Ground) -> httpx.Response:
        await sign_in(ground)
        token = (await sign_in(ground)).json()["token"]["access_token"]
        claims = jwt.decode(token, options={"verify_signature": False})
        where = path.format(user=ground.cast.tester.id, session=claims["sid"])
        if by == "admin":
            return await ground.send("DELETE", where)
        return await ground.client.delete(where, headers={"Authorization": f"Bearer {token}"})

    return call


async def create_tenant(ground: Ground) -> httpx.Response:
    identifier = f"t-{ground.project_id[-12:]}"
    body = {"name": identifier, "identifier": identifier, "administrator_email": "boss@example.com"}
    answer = await ground.send("POST", "/tenants", body)
    await ground.keycloak.delete_realm(identifier)
    return answer


async def enable_tenant(ground: Ground) -> httpx.Response:
    await ground.send("POST", f"/tenants/{ground.cast.other_tenant_id}/disable")
    return await ground.send("POST", f"/tenants/{ground.cast.other_tenant_id}/enable")


async def invite(ground: Ground) -> httpx.Response:
    body = {"email": f"guest-{ground.project_id}@example.com", "role": "tester"}
    return await ground.send("POST", "/users/invitations", body)


async def invite_again(ground: Ground) -> httpx.Response:
    return await ground.send("POST", f"/users/{ground.cast.invited.id}/invitation")


async def make_role(ground: Ground) -> str:
    answer = await ground.send("POST", "/roles", {"name": "Keepers", "scopes": ["model:view"]})
    return str(answer.json()["role"]["id"])


async def change_role(ground: Ground) -> httpx.Response:
    return await ground.send("PATCH", f"/roles/{await make_role(ground)}", {"name": "Others"})


async def delete_role(ground: Ground) -> httpx.Response:
    return await ground.send("DELETE", f"/roles/{await make_role(ground)}")


async def assign_role(ground: Ground) -> httpx.Response:
    body = {"role_id": await make_role(ground)}
    return await ground.send("PUT", f"/users/{ground.cast.developer.id}/role", body)


async def configure_provider(ground: Ground) -> httpx.Response:
    body = {"provider": "github", "clientId": "bud", "clientSecret": "secret"}
    return await ground.send("POST", "/admin/oauth/configure", body)


async def disable_provider(ground: Ground) -> httpx.Response:
    await configure_provider(ground)
    return await ground.send("PUT", f"/admin/oauth/disable/{ground.cast.tenant_id}/github")


async def begin(ground: Ground, path: str, **fields: Any) -> httpx.Response:
    return await ground.send("POST", path, {"step_number": 1, "workflow_total_steps": 4, **fields})


async def begin_local_model(ground: Ground) -> httpx.Response:
    return await begin(ground, "/models/local-model-workflow", provider_type="hugging_face")


async def begin_cloud_model(ground: Ground) -> httpx.Response:
    return await begin(ground, "/models/cloud-model-workflow", provider_type="cloud_model")


async def a_model(ground: Ground) -> str:
    about = {"modality": ["text_input", "text_output"], "supported_endpoints": ["/v1/chat/completions"]}
    mine = {"tenant_id": ground.cast.tenant_id, "created_by": ground.cast.admin.id}
    model = Model(name="Model", uri="acme/m", source="local", provider_type="disk", local_path="m", **about, **mine)
    async with ground.database.write() as session:
        session.add(model)
    return str(model.id)


async def begin_scan(ground: Ground) -> httpx.Response:
    return await begin(ground, "/models/security-scan", model_id=await a_model(ground))


async def begin_quantization(ground: Ground) -> httpx.Response:
    return await begin(ground, "/models/quantize-model-workflow", model_id=await a_model(ground))


async def cancel_quantization(ground: Ground) -> httpx.Response:
    workflow_id = (await begin_quantization(ground)).json()["workflow_id"]
    return await ground.send("POST", "/models/cancel-quantization", {"workflow_id": workflow_id})


async def edit_model(ground: Ground) -> httpx.Response:
    path, form = f"/models/{await a_model(ground)}", {"name": (None, "Renamed")}
    return await ground.client.patch(path, files=form, headers=ground.cast.admin.headers)


async def delete_model(ground: Ground) -> httpx.Response:
    return await ground.send("DELETE", f"/models/{await a_model(ground)}")


async def draft(ground: Ground) -> str:
    return f"/workflows/{(await begin_local_model(ground)).json()['workflow_id']}"


async def complete_workflow(ground: Ground) -> httpx.Response:
    return await ground.send("PATCH", await draft(ground))


async def cancel_workflow(ground: Ground) -> httpx.Response:
    return await ground.send("DELETE", await draft(ground))


async def retry_workflow(ground: Ground) -> httpx.Response:
    async with ground.database.write() as session:
        things = await furnish_models(session, 0, ground.cast.admin)
    return await ground.send("POST", f"/workflows/{things['failed_workflow_id']}/retry")


CALLS: dict[str, tuple[Call, str, str]] = {
    "POST /auth/login": (sign_in, "login", "session"),
    "POST /auth/logout": (sign_out, "logout", "session"),
    "POST /auth/register": (Ground.register, "create", "user"),
    "POST /users/reset-password": (ask_for_link, "password_reset", "user"),
    "POST /users/reset-password-with-token": (use_link, "password_reset", "user"),
    "PUT /permissions/{user_id}/global": (grant, "permission_changed", "permission"),
    "PATCH /permissions/project": (grant_in_project, "permission_changed", "permission"),
    "PATCH /users/onboard": (onboard, "update", "user"),
    "POST /users/": (create_user, "create", "user"),
    "PATCH /users/{user_id}": (simple("PATCH", "/users/{developer}", {"name": "Another"}), "update", "user"),
    "DELETE /users/{user_id}": (delete_user, "update", "user"),
    "PATCH /users/{user_id}/reactivate": (reactivate_user, "update", "user"),
    "POST /projects/": (simple("POST", "/projects/", {"name": "Boreas"}), "create", "project"),
    "PATCH /projects/{project_id}": (simple("PATCH", "/projects/{project}", {"name": "Other"}), "update", "project"),
    "DELETE /projects/{project_id}": (simple("DELETE", "/projects/{project}"), "update", "project"),
    "POST /projects/{project_id}/add-users": (add_to_project, "permission_changed", "permission"),
    "POST /projects/{project_id}/remove-users": (remove_from_project, "permission_changed", "permission"),
    "POST /datasets": (
        lambda ground: ground.send("POST", "/datasets", {"project_id": ground.project_id, "name": "More"}),
        "create",
        "dataset",
    ),
    "PATCH /datasets/{dataset_id}": (simple("PATCH", "{dataset}", {"name": "Other"}), "update", "dataset"),
    "DELETE /datasets/{dataset_id}": (simple("DELETE", "{dataset}"), "update", "dataset"),
    "POST /datasets/{dataset_id}/versions": (simple("POST", "{dataset}/versions"), "create", "dataset"),
    "POST /datasets/{dataset_id}/versions/{number}/uploads": (begin_upload, "create", "file"),
    "POST /datasets/{dataset_id}/versions/{number}/uploads/{file_id}/complete": (complete_upload, "update", "file"),
    "DELETE /datasets/{dataset_id}/versions/{number}/uploads/{file_id}": (abort_upload, "delete", "file"),
    "PUT /datasets/{dataset_id}/versions/{number}/files/{split}": (put_file, "create", "file"),
    "PUT /audit/retention": (simple("PUT", "/audit/retention", {"days": 90}), "config_changed", "setting"),
    "PUT /audit/delivery": (
        simple("PUT", "/audit/delivery", {"kind": "webhook", "url": "https://1.1.1.1/"}),
        "config_changed",
        "setting",
    ),
    "DELETE /audit/delivery": (remove_delivery, "config_changed", "setting"),
    "POST /billing/setup": (set_up_billing, "create", "setting"),
    "PUT /billing/plan": (change_plan, "update", "setting"),
    "DELETE /users/me/sessions": (ending_sessions("/users/me/sessions"), "logout", "session"),
    "DELETE /users/me/sessions/{session_id}": (ending_sessions("/users/me/sessions/{session}"), "logout", "session"),
    "DELETE /users/{user_id}/sessions": (ending_sessions("/users/{user}/sessions", "admin"), "logout", "session"),
    "DELETE /users/{user_id}/sessions/{session_id}": (
        ending_sessions("/users/{user}/sessions/{session}", "admin"),
        "logout",
        "session",
    ),
    "POST /users/invitations": (invite, "create", "user"),
    "POST /users/{user_id}/invitation": (invite_again, "password_reset", "user"),
    "POST /users/{user_id}/subscribe": (simple("POST", "/users/{developer}/subscribe"), "update", "user"),
    "POST /roles": (simple("POST", "/roles", {"name": "Keepers", "scopes": ["model:view"]}), "create", "role"),
    "PATCH /roles/{role_id}": (change_role, "update", "role"),
    "DELETE /roles/{role_id}": (delete_role, "delete", "role"),
    "PUT /users/{user_id}/role": (assign_role, "update", "user"),
    "POST /admin/oauth/configure": (configure_provider, "create", "config"),
    "PUT /admin/oauth/disable/{tenant_id}/{provider}": (disable_provider, "update", "config"),
    "POST /models/local-model-workflow": (begin_local_model, "create", "workflow"),
    "POST /models/cloud-model-workflow": (begin_cloud_model, "create", "workflow"),
    "POST /models/security-scan": (begin_scan, "create", "workflow"),
    "POST /models/quantize-model-workflow": (begin_quantization, "create", "workflow"),
    "POST /models/cancel-quantization": (cancel_quantization, "update", "workflow"),
    "PATCH /models/{model_id}": (edit_model, "update", "model"),
    "DELETE /models/{model_id}": (delete_model, "update", "model"),
    "PATCH /workflows/{workflow_id}": (complete_workflow, "update", "workflow"),
    "DELETE /workflows/{workflow_id}": (cancel_workflow, "update", "workflow"),
    "POST /workflows/{workflow_id}/retry": (retry_workflow, "update", "workflow"),
    "POST /tenants": (create_tenant, "create", "config"),
    "PATCH /tenants/{tenant_id}": (simple("PATCH", "/tenants/{other_tenant}", {"name": "Other"}), "update", "config"),
    "POST /tenants/{tenant_id}/disable": (simple("POST", "/tenants/{other_tenant}/disable"), "update", "config"),
    "POST /tenants/{tenant_id}/enable": (enable_tenant, "update", "config"),
}

CHANGE_NOTHING = {
    "POST /notifications": "what a handler changes is recorded as any change, with the event as its source",
    "POST /auth/refresh-token": "only prolongs a session; reuse of a token, which ends it, is recorded",
    "POST /users/validate-reset-token": "only looks",
    "POST /audit/verify-batch": "only looks",
    "POST /models/top-leaderboards": "only looks",
    "POST /oauth/login": "only begins to sign in; the return from the provider is recorded",
    "POST /oauth/link": "only begins to link; the return from the provider is recorded",
    "POST /auth/token/exchange": "hands over the tokens of a sign-in that is recorded",
}


def mutating() -> set[str]:
    return {f"{method} {route.path}" for route in routes_of(DOMAINS) for method in (route.methods or set()) - {"GET"}}


def test_every_route_that_changes_something_is_listed() -> None:
    assert mutating() <= CALLS.keys() | CHANGE_NOTHING.keys()


@pytest.mark.parametrize("operation", CALLS)
async def test_a_call_that_succeeds_leaves_an_entry(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    project_id: str,
    version: str,
    app: FastAPI,
    operation: str,
) -> None:
    call, action, resource_type = CALLS[operation]
    ground = Ground(client, cast, database, project_id, version, components_of(app)[Keycloak])
    before = {entry.id for entry in await entries(database)}
    answer = await call(ground)
    assert answer.status_code == 200, answer.text
    wanted = (AuditEntry.action == action, AuditEntry.resource_type == resource_type)
    made = [entry for entry in await entries(database, *wanted) if entry.id not in before]
    assert made
    assert all(entry.tenant_id and entry.user_id for entry in made)
