import base64
import hashlib
import json
from typing import Any
from uuid import UUID, uuid4, uuid5

from pydantic import SecretStr
from uuid_utils.compat import uuid7

from budapp.connector_ops.consents import UNDER_WAY, PendingConsent
from budapp.connector_ops.models import ConnectorGateway
from budapp.integrations.one_time import OneTimeValues
from tests.prompts.surface import with_draft
from tests.stack import address_of, http_client
from tests.surface.share import Audited, RequestContext, SeedContext, Share, Things, Valid

_URL = "http://127.0.0.1:9/mcp"
_OAUTH = {
    "grant_type": "authorization_code",
    "client_id": "platform",
    "token_url": f"{_URL}/token",
    "authorization_url": f"{_URL}/auth",
    "redirect_uri": "http://localhost:3000/callback",
}
_TOOLS = UUID("6f1d0f3e-5d0d-4c80-9a51-0a3b0d6a2f10")
_NO_COOKIE = hashlib.sha256(b"").hexdigest()


async def _seed(context: SeedContext) -> Things:
    """Put in a gateway of the tenant's, and one of its owner's draft; the foundry knows them once it is asked."""
    gateway = _row(context)
    of_draft = _row(context, bud_prompt_id=context.things["draft_prompt"], prompt_version=1)
    await context.add(gateway, of_draft)
    return {
        "gateway_id": str(gateway.id),
        "foundry_id": gateway.foundry_id,
        "draft_foundry_id": of_draft.foundry_id,
        "connector": "weather",
        "registered": "github",
        "tool": uuid5(_TOOLS, f"{gateway.foundry_id} search").hex,
        "draft_tool": uuid5(_TOOLS, f"{of_draft.foundry_id} search").hex,
        "user_email": context.owner.email,
        "consent_state": uuid4().hex,
    }


def _row(context: SeedContext, **more: Any) -> ConnectorGateway:
    about = {"name": "Files", "url": _URL, "transport": "STREAMABLEHTTP", "addresses": [f"{_URL}/auth"]}
    kind = {"connector_id": "github", "auth_type": "OAuth"}
    return ConnectorGateway(id=uuid7(), foundry_id=uuid4().hex, **about, **kind, **more, **context.owned)


async def known(context: RequestContext) -> None:
    """Have the foundry know the gateways of both tenants."""
    for things in (context.scene.here, context.scene.there):
        for foundry_id in (things["foundry_id"], things["draft_foundry_id"]):
            await _know(foundry_id)


async def _know(foundry_id: str, **query: str) -> None:
    async with http_client(address_of("foundry")) as http:
        body = {"name": foundry_id, "url": _URL, "auth_type": "oauth", "oauth_config": _OAUTH}
        answer = await http.put(f"/control/gateways/{foundry_id}", json=body, params=query)
        assert answer.status_code == 200, answer.text


async def own_draft(context: RequestContext) -> None:
    """Have whoever calls own the draft, too."""
    await with_draft(context)
    await known(context)


async def _departing(context: RequestContext) -> None:
    await _pending(context, "connector_departure")


async def _returning(context: RequestContext) -> None:
    await _pending(context, "connector_consent")


async def _pending(context: RequestContext, kind: str) -> None:
    """Have whoever calls have begun a consent, in a browser without cookies."""
    person, things = context.person or context.scene.cast.manager, context.things
    things["consent_state"] = uuid4().hex
    await _know(things["foundry_id"], state=things["consent_state"])
    claims = str(person.headers["Authorization"]).split(".")[1]
    told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    pending = PendingConsent(
        tenant_id=person.tenant_id,
        user_id=person.id,
        session_id=str(told.get("sid", "")),
        gateway_id=UUID(things["gateway_id"]),
        authorization_url=f"{_URL}/auth",
        return_url="http://localhost:3000/connectors",
        access_token=SecretStr("a token that the stand-in does not look at"),
        browser_hash=_NO_COOKIE,
    )
    await context.component(OneTimeValues).put(kind, things["consent_state"], pending, UNDER_WAY)


_AT, _PROMPTS = "/connectors", "/prompts"
_ONE, _OF = f"{_AT}/gateways/{{gateway_id}}", f"{_AT}/{{gateway_id}}"
_CONFIGURED = f"{_AT}/configured/{{gateway_id}}"
_OF_PROMPT = f"{_PROMPTS}/{{prompt_name}}/connectors/{{connector}}"
_READ = Valid(prepare=known)
_REGISTERED = {"prompt_name": "draft_prompt", "connector": "registered"}
_BEGINS = "begins a consent, which leaves an entry once it is given"
_LOOKS = "has the foundry look its tools up"


def _draft(t: Things, **more: Any) -> dict[str, Any]:
    return {"prompt_id": t["draft_prompt"], "connector_id": "github", "version": 1, **more}


def _code(t: Things) -> dict[str, Any]:
    return {"code": "a code", "state": t["consent_state"]}


share = Share(
    "connector_ops",
    seed=_seed,
    requests={
        f"POST {_AT}/gateways": Valid(lambda t: {"connector_id": "weather", "credentials": {}}),
        f"POST {_AT}/custom": Valid(lambda t: {"name": "Files", "url": _URL}),
        f"PUT {_ONE}": Valid(lambda t: {"description": "Files of theirs"}, prepare=known),
        f"PATCH {_CONFIGURED}/toggle": Valid(lambda t: {"enabled": False}),
        f"PATCH {_CONFIGURED}/clients": Valid(lambda t: {"clients": ["chat"]}),
        f"POST {_CONFIGURED}/tag": Valid(lambda t: {"connector_id": "weather"}),
        **{f"GET {_AT}/{what}": _READ for what in ("configured", "available")},
        **{f"GET {_OF}/{what}": _READ for what in ("tools", "oauth/status", "oauth/token-status")},
        **{f"POST {_OF}/{what}": _READ for what in ("oauth/initiate", "fetch-tools")},
        f"DELETE {_ONE}": _READ,
        f"DELETE {_OF}/oauth/token": _READ,
        f"DELETE {_OF}/oauth/token/{{user_email}}": _READ,
        f"GET {_AT}/oauth/departure": Valid(query=lambda t: {"state": t["consent_state"]}, prepare=_departing),
        f"GET {_AT}/oauth/public-callback": Valid(query=_code, prepare=_returning),
        f"POST {_AT}/oauth/callback": Valid(_code, prepare=_returning),
        f"POST {_PROMPTS}/oauth/callback": Valid(_code, prepare=_returning),
        f"POST {_OF_PROMPT}/register": Valid(
            lambda t: {"credentials": {}}, path={"prompt_name": "draft_prompt"}, prepare=own_draft
        ),
        f"DELETE {_OF_PROMPT}/disconnect": Valid(path=_REGISTERED, prepare=own_draft),
        f"POST {_PROMPTS}/prompt-config/add-tool": Valid(
            lambda t: _draft(t, tool_ids=[t["draft_tool"]]), prepare=own_draft
        ),
        f"GET {_PROMPTS}/tools": Valid(query=_draft, prepare=own_draft),
        f"GET {_PROMPTS}/tools/{{tool}}": _READ,
        f"POST {_PROMPTS}/oauth/initiate": Valid(_draft, prepare=own_draft),
        f"GET {_PROMPTS}/oauth/status": Valid(query=_draft, prepare=own_draft),
        f"POST {_PROMPTS}/oauth/fetch-tools": Valid(_draft, prepare=own_draft),
    },
    audited={
        f"POST {_AT}/gateways": Audited("create", "config"),
        f"POST {_AT}/custom": Audited("create", "config"),
        f"PUT {_ONE}": Audited("update", "config"),
        f"DELETE {_ONE}": Audited("delete", "config"),
        f"PATCH {_CONFIGURED}/toggle": Audited("update", "config"),
        f"PATCH {_CONFIGURED}/clients": Audited("update", "config"),
        f"POST {_CONFIGURED}/tag": Audited("update", "config"),
        f"DELETE {_OF}/oauth/token": Audited("permission_changed", "config"),
        f"DELETE {_OF}/oauth/token/{{user_email}}": Audited("permission_changed", "config"),
        f"POST {_AT}/oauth/callback": Audited("access_granted", "config"),
        f"POST {_PROMPTS}/oauth/callback": Audited("access_granted", "config"),
        f"POST {_OF_PROMPT}/register": Audited("create", "config"),
        f"DELETE {_OF_PROMPT}/disconnect": Audited("delete", "config"),
        f"POST {_PROMPTS}/prompt-config/add-tool": Audited("update", "config"),
    },
    changes_nothing={
        f"POST {_OF}/oauth/initiate": _BEGINS,
        f"POST {_PROMPTS}/oauth/initiate": _BEGINS,
        f"POST {_OF}/fetch-tools": _LOOKS,
        f"POST {_PROMPTS}/oauth/fetch-tools": _LOOKS,
    },
)
