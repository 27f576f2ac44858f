"""How to make a valid request to each route: the one place that says so.

A route that takes nothing but ids in its path needs no line here: `{project_id}` is the thing of that name in
`tests/surface/scene.py`. A route with a body needs its body.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import update

from budapp.auth.single_sign_on import WaitingTokens
from budapp.billing_ops.models import FREE_PLAN_ID
from budapp.commons.config import Settings
from budapp.commons.database import Database, now
from budapp.commons.domain import components_of
from budapp.dataset_ops.models import DatasetFile
from budapp.endpoint_ops.models import Endpoint
from budapp.integrations.keycloak import Keycloak
from budapp.integrations.one_time import OneTimeValues
from budapp.integrations.storage import Storage
from budapp.model_ops.license_files import LicenseFile, LicenseFiles
from budapp.user_ops.models import User
from budapp.workflow_ops.models import Workflow
from tests.cast import PASSWORD, Person, Realms
from tests.datasets.data import CSV
from tests.surface.scene import Scene, Things


@dataclass(frozen=True)
class Asking:
    """What a preparation may use; `person` is who calls, if anybody."""

    app: FastAPI
    realms: Realms
    scene: Scene
    person: Person | None
    things: Things


@dataclass(frozen=True)
class Valid:
    """What a valid request to a route carries.

    Args:
        body: from the things of a tenant to the JSON body.
        query: likewise, to the query parameters.
        path: parameter → the thing that stands for it, where it is not the one of that name.
        prepare: what must be so beforehand.
        own_session: the caller signs in anew for it, as it ends the session.
        files: field → name and content, for a form in place of a JSON body.
    """

    body: Callable[[Things], Any] | None = None
    query: Callable[[Things], dict[str, Any]] | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Asking], Awaitable[None]] | None = None
    own_session: bool = False
    files: Mapping[str, tuple[str | None, bytes]] | None = None


@dataclass(frozen=True)
class Filled:
    """A request, ready to be sent."""

    method: str
    path: str
    params: dict[str, str]
    query: dict[str, Any]
    body: Any
    files: Mapping[str, tuple[str | None, bytes]] | None = None

    @property
    def url(self) -> str:
        """The path and the query; what is no text at all is sent as it is, as a client may."""
        path = re.sub(r"{(\w+)}", lambda found: quote(self.params[found[1]], "", errors="surrogatepass"), self.path)
        query = urlencode(self.query, doseq=True, errors="surrogatepass")
        return f"{path}?{query}" if query else path


def fill(operation: str, things: Things) -> Filled:
    """Return the valid request to the operation (`METHOD /path`) about these things.

    Raises:
        KeyError: a path parameter that nothing stands for.
    """
    method, _, path = operation.partition(" ")
    valid = REQUESTS.get(operation, Valid())
    params = {name: things[valid.path.get(name, name)] for name in re.findall(r"{(\w+)}", path)}
    query = valid.query(things) if valid.query else {}
    return Filled(method, path, params, query, valid.body(things) if valid.body else None, valid.files)


async def _sign_in(asking: Asking, email: str = "visitor@example.com") -> None:
    """Have a session for the request to use up."""
    client = asking.realms.clients[asking.things["tenant_id"] == str(asking.scene.cast.other_tenant_id)]
    tokens = await components_of(asking.app)[Keycloak].sign_in(client, email, PASSWORD, remember=False)
    asking.things.update(refresh_token=tokens["refresh_token"], session_id=tokens["session_state"])


async def _second_session(asking: Asking) -> None:
    """Have the caller signed in elsewhere too."""
    if asking.person is not None and str(asking.person.tenant_id) == asking.things["tenant_id"]:
        await _sign_in(asking, asking.person.email)


async def _file(asking: Asking, name: str) -> DatasetFile:
    async with components_of(asking.app)[Database].read() as session:
        file: DatasetFile | None = await session.get(DatasetFile, UUID(asking.things[name]))
    assert file is not None
    return file


async def _stored(asking: Asking) -> None:
    """Have the content of the file that is ready in the store."""
    storage, bucket = components_of(asking.app)[Storage], components_of(asking.app)[Settings].minio_dataset_bucket
    await storage.ensure_bucket(bucket)
    await storage.put(bucket, (await _file(asking, "ready_file_id")).object_name, CSV, "text/csv")


async def _uploaded(asking: Asking) -> None:
    """Have the parts of the file that is on its way in the store."""
    storage, bucket = components_of(asking.app)[Storage], components_of(asking.app)[Settings].minio_dataset_bucket
    await storage.ensure_bucket(bucket)
    name = (await _file(asking, "file_id")).object_name
    upload_id = await storage.begin_upload(bucket, name)
    async with components_of(asking.app)[Database].write() as session:
        file = await session.get(DatasetFile, UUID(asking.things["file_id"]))
        assert file is not None
        file.upload_id = upload_id
    address = storage.presigned_part(bucket, name, upload_id, 1, timedelta(minutes=5))
    async with httpx.AsyncClient() as browser:
        asking.things["etag"] = (await browser.put(address, content=CSV)).headers["etag"]


async def _published(asking: Asking) -> None:
    """Have the deployment published."""
    async with components_of(asking.app)[Database].write() as session:
        endpoint = await session.get_one(Endpoint, UUID(asking.things["endpoint_id"]))
        endpoint.model_id = UUID(asking.things["model_id"])
        endpoint.is_published, endpoint.published_date = True, now()


async def _licensed(asking: Asking) -> None:
    """Have a license in the store, and a link to it."""
    files: LicenseFiles = components_of(asking.app)[LicenseFiles]
    await files.storage.ensure_bucket(files.bucket)
    path = await files.put(UUID(asking.things["model_id"]), LicenseFile("MIT.txt", b"MIT", "text/plain"))
    asking.things["token"] = files.link(path, "MIT.txt").split("/")[1]


async def _bucket(asking: Asking) -> None:
    await components_of(asking.app)[Storage].ensure_bucket(components_of(asking.app)[Settings].minio_dataset_bucket)


async def _before_onboarding(asking: Asking) -> None:
    if asking.person is None:
        return
    async with components_of(asking.app)[Database].write() as session:
        user = await session.get(User, asking.person.id)
        assert user is not None
        user.first_login = True


async def _exchange(asking: Asking) -> None:
    """Have tokens wait for the request to fetch them."""
    token, visitor = uuid4().hex, UUID(asking.things["visitor_id"])
    waiting = WaitingTokens(user_id=visitor, access_token="a", refresh_token="r", expires_in=60)
    await components_of(asking.app)[OneTimeValues].put("exchange_token", token, waiting, timedelta(minutes=1))
    asking.things["exchange_token"] = token


async def _own_drafts(asking: Asking) -> None:
    """Have the caller be who began the tenant's workflows: nobody else posts their steps."""
    if asking.person is None or str(asking.person.tenant_id) != asking.things["tenant_id"]:
        return
    async with components_of(asking.app)[Database].write() as session:
        mine = Workflow.tenant_id == asking.person.tenant_id
        await session.execute(update(Workflow).where(mine).values(created_by=asking.person.id))


def _member(things: Things) -> dict[str, Any]:
    return {"user_id": things["newcomer_id"], "scopes": ["endpoint:view"]}


def _project_grants(things: Things) -> list[dict[str, Any]]:
    grant = {"name": "endpoint:manage", "has_permission": True}
    return [{"user_id": things["newcomer_id"], "project_id": things["project_id"], "permissions": [grant]}]


def _newcomer(things: Things) -> dict[str, Any]:
    return {"name": "New", "email": f"{things['fresh']}@example.com", "password": PASSWORD}


_LOGIN = {"email": "visitor@example.com", "password": PASSWORD}
_EVENT = {"id": "1", "type": "com.example.event", "source": "budmodel", "data": {"answer": 42}}
_VERSION = "/datasets/{dataset_id}/versions/{number}"

_IDLE = Valid(path={"tenant_id": "idle_tenant_id"})

REQUESTS: dict[str, Valid] = {
    "POST /notifications": Valid(lambda t: _EVENT),
    # Signing in and out
    "POST /auth/login": Valid(lambda t: _LOGIN | {"tenant_id": t["tenant_id"]}),
    "POST /auth/refresh-token": Valid(lambda t: {"refresh_token": t["refresh_token"]}, prepare=_sign_in),
    "POST /auth/logout": Valid(
        lambda t: {"refresh_token": t["refresh_token"], "tenant_id": t["tenant_id"]}, prepare=_sign_in, own_session=True
    ),
    "POST /auth/register": Valid(_newcomer),
    "POST /users/reset-password": Valid(lambda t: {"email": _LOGIN["email"], "tenant_id": t["tenant_id"]}),
    "POST /users/validate-reset-token": Valid(lambda t: {"token": t["reset_token"]}),
    "POST /users/reset-password-with-token": Valid(
        lambda t: {"token": t["reset_token"], "new_password": PASSWORD, "confirm_password": PASSWORD}
    ),
    "DELETE /users/me/sessions/{session_id}": Valid(prepare=_second_session),
    "DELETE /users/{user_id}/sessions/{session_id}": Valid(path={"user_id": "visitor_id"}, prepare=_sign_in),
    "DELETE /users/{user_id}/sessions": Valid(path={"user_id": "visitor_id"}),
    # People
    "PATCH /users/onboard": Valid(prepare=_before_onboarding),
    "POST /users/": Valid(lambda t: _newcomer(t) | {"role": "developer", "user_type": "admin"}),
    "POST /users/invitations": Valid(lambda t: {"email": f"{t['fresh']}@example.com", "role": "developer"}),
    "POST /users/{user_id}/invitation": Valid(path={"user_id": "guest_id"}),
    "PATCH /users/{user_id}": Valid(lambda t: {"name": "Renamed", "role": "tester"}),
    "PATCH /users/{user_id}/reactivate": Valid(path={"user_id": "deleted_user_id"}),
    # Permissions
    "POST /roles": Valid(lambda t: {"name": f"Role {t['fresh']}", "scopes": ["model:view"]}),
    "PATCH /roles/{role_id}": Valid(lambda t: {"name": f"Role {t['fresh']}", "scopes": ["project:view"]}),
    "PUT /users/{user_id}/role": Valid(lambda t: {"role_id": t["role_id"]}),
    "GET /permissions/explain": Valid(query=lambda _: {"method": "GET", "path": "/users/"}),
    "PUT /permissions/{user_id}/global": Valid(lambda t: [{"name": "cluster:manage", "has_permission": True}]),
    "PATCH /permissions/project": Valid(_project_grants),
    # Tenants
    "POST /tenants": Valid(
        lambda t: {"name": t["new_realm"], "identifier": t["new_realm"], "administrator_email": "chief@example.com"}
    ),
    "GET /tenants/{tenant_id}": _IDLE,
    "PATCH /tenants/{tenant_id}": Valid(lambda t: {"name": "Renamed"}, path=_IDLE.path),
    "POST /tenants/{tenant_id}/disable": _IDLE,
    "POST /tenants/{tenant_id}/enable": _IDLE,
    # Sign-in at a provider
    "GET /oauth/providers": Valid(query=lambda t: {"tenant_id": t["tenant_id"]}),
    "POST /oauth/login": Valid(lambda t: {"provider": t["provider"], "tenantId": t["tenant_id"]}),
    "POST /oauth/link": Valid(lambda t: {"provider": t["provider"]}),
    "GET /oauth/departure": Valid(query=lambda t: {"state": "unknown"}),
    "GET /oauth/secure-callback": Valid(query=lambda t: {"state": "unknown"}),
    "POST /auth/token/exchange": Valid(lambda t: {"exchange_token": t["exchange_token"]}, prepare=_exchange),
    "POST /admin/oauth/configure": Valid(
        lambda t: {"provider": "github", "clientId": "bud", "clientSecret": "secret", "tenantId": t["tenant_id"]}
    ),
    # Audit
    "POST /audit/verify-batch": Valid(lambda t: [t["audit_id"]]),
    "PUT /audit/retention": Valid(lambda t: {"days": 90}),
    "PUT /audit/delivery": Valid(lambda t: {"kind": "webhook", "url": "https://1.1.1.1/"}),
    # Projects
    "GET /projects/tags/search": Valid(query=lambda t: {"search_term": "de"}),
    "POST /projects/": Valid(lambda t: {"name": "New", "tags": [{"name": "New", "color": "#E57333"}]}),
    "PATCH /projects/{project_id}": Valid(lambda t: {"name": "Renamed"}),
    "GET /projects/{project_id}/clusters": Valid(path={"project_id": "busy_project_id"}),
    "POST /projects/{project_id}/add-users": Valid(lambda t: {"users": [_member(t)]}),
    "POST /projects/{project_id}/remove-users": Valid(lambda t: {"user_ids": [t["user_id"]]}),
    # Billing
    "POST /billing/setup": Valid(lambda t: {"user_id": t["visitor_id"], "billing_plan_id": str(FREE_PLAN_ID)}),
    "PUT /billing/plan": Valid(lambda t: {"user_id": t["user_id"], "billing_plan_id": str(FREE_PLAN_ID)}),
    # Workflows
    "POST /workflows/{workflow_id}/retry": Valid(path={"workflow_id": "failed_workflow_id"}),
    # Models
    "POST /models/local-model-workflow": Valid(
        lambda t: {"step_number": 1, "workflow_id": t["workflow_id"], "provider_type": "hugging_face"},
        prepare=_own_drafts,
    ),
    "POST /models/cloud-model-workflow": Valid(
        lambda t: {"step_number": 2, "workflow_id": t["cloud_workflow_id"], "provider_type": "cloud_model"},
        prepare=_own_drafts,
    ),
    "PATCH /models/{model_id}": Valid(files={"name": (None, b"Renamed")}),
    "GET /models/catalog/{endpoint_id}": Valid(prepare=_published),
    "GET /static/licenses/{token}/{file_name}": Valid(prepare=_licensed),
    "POST /models/quantize-model-workflow": Valid(
        lambda t: {"step_number": 1, "workflow_id": t["quantization_workflow_id"], "model_id": t["model_id"]},
        prepare=_own_drafts,
    ),
    "POST /models/cancel-quantization": Valid(lambda t: {"workflow_id": t["quantization_workflow_id"]}),
    "POST /models/top-leaderboards": Valid(lambda t: {"benchmarks": ["mmlu"]}),
    "GET /static/{path}": Valid(),
    "POST /models/security-scan": Valid(
        lambda t: {"step_number": 1, "workflow_id": t["scan_workflow_id"], "model_id": t["model_id"]},
        prepare=_own_drafts,
    ),
    # Datasets
    "POST /datasets": Valid(lambda t: {"project_id": t["project_id"], "name": "New"}),
    "PATCH /datasets/{dataset_id}": Valid(lambda t: {"name": "Renamed"}),
    f"POST {_VERSION}/uploads": Valid(
        lambda t: {"split": t["free_split"], "file_name": "data.csv", "size": len(CSV)}, prepare=_bucket
    ),
    f"POST {_VERSION}/uploads/{{file_id}}/complete": Valid(
        lambda t: {"parts": [{"number": 1, "etag": t["etag"]}]}, prepare=_uploaded
    ),
    f"DELETE {_VERSION}/uploads/{{file_id}}": Valid(prepare=_bucket),
    f"PUT {_VERSION}/files/{{split}}": Valid(
        path={"split": "free_split"}, files={"file": ("data.csv", CSV)}, prepare=_bucket
    ),
    f"GET {_VERSION}/files/{{split}}/preview": Valid(prepare=_stored),
}
