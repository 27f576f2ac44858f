from typing import Any
from uuid import UUID, uuid4

from uuid_utils.compat import uuid7

from budapp.integrations.keycloak import Keycloak
from budapp.playground_ops.models import ChatMessage, ChatNote, ChatSession, ChatSetting
from tests.cast import PASSWORD
from tests.projects.data import endpoint_row
from tests.stack import address_of, http_client
from tests.surface.share import RequestContext, SeedContext, Share, Things, Valid

_PRIVATE = "somebody's own talk with a model, which is nobody else's to read"
_OPENS = "opens a session at the gateway, and changes nothing that others see"
RESPONSE = {
    "message": {"id": "m", "createdAt": "2026-11-01T00:00:00Z", "role": "assistant", "content": "Good morning"},
    "usage": {"promptTokens": 3, "completionTokens": 2, "totalTokens": 5},
}


async def _seed(context: SeedContext) -> Things:
    """Put in a talk of the owner's, and a deployment that answers once budcluster knows it."""
    mine = {"tenant_id": context.tenant_id, "user_id": context.owner.id}
    setting = ChatSetting(id=uuid7(), name="Terse", **mine)
    session = ChatSession(id=uuid7(), name="Greetings", chat_setting_id=setting.id, **mine)
    here = {**mine, "chat_session_id": session.id}
    said = {"request_id": uuid4(), "deployment_id": context.id_of("endpoint_id"), "prompt": "Hi", "response": RESPONSE}
    message, note = ChatMessage(id=uuid7(), **here, **said), ChatNote(id=uuid7(), note="Friendly", **here)
    namespace = f"chat-{uuid4()}"
    url = f"{address_of('budcluster')}/served/{namespace}"
    at = {"cluster_id": context.id_of("cluster_id"), "bud_cluster_id": uuid4()}
    endpoint = endpoint_row(
        context.things["busy_project_id"],
        context.owner,
        id=uuid7(),
        name=namespace,
        namespace=namespace,
        url=url,
        model_id=context.id_of("deployed_model_id"),
        **at,
    )
    await context.add(setting, session, message, note, endpoint)
    return {
        "chat_setting_id": str(setting.id),
        "chat_session_id": str(session.id),
        "message_id": str(message.id),
        "chat_note_id": str(note.id),
        "deployment_id": str(endpoint.id),
        "served_as": namespace,
        "chat_cluster": str(at["bud_cluster_id"]),
    }


async def _answers(context: RequestContext) -> None:
    """Have budcluster know the deployments of both tenants."""
    async with http_client(address_of("budcluster")) as http:
        for things in (context.scene.here, context.scene.there):
            known = {"namespace": things["served_as"], "endpoint_name": things["served_as"]}
            answer = await http.post("/control/deployments", json={**known, "cluster_id": things["chat_cluster"]})
            assert answer.status_code == 200, answer.text


async def _signed_in(context: RequestContext) -> None:
    """Have somebody of the tenant, who takes part in a project, sign in anew."""
    person = context.scene.cast.manager
    tokens = await context.component(Keycloak).sign_in(
        context.realms.clients[0], person.email, PASSWORD, remember=False
    )
    context.things.update({name: tokens[name] for name in ("access_token", "refresh_token")})


def _message(t: Things) -> dict[str, Any]:
    ids = {"deployment_id": t["deployment_id"], "request_id": str(UUID(int=7))}
    return {"prompt": "Good morning", "response": RESPONSE, **ids}


_OWN = ("chat-settings/{chat_setting_id}", "chat-sessions/{chat_session_id}", "messages/{message_id}")

share = Share(
    "playground_ops",
    seed=_seed,
    requests={
        "POST /playground/initialize": Valid(
            lambda t: {"refresh_token": t.get("refresh_token", "x")}, prepare=_signed_in
        ),
        "POST /playground/initialize-with-token": Valid(
            lambda t: {"access_token": t.get("access_token", "x")}, prepare=_signed_in
        ),
        "POST /playground/chat/completions": Valid(
            lambda t: {"model": t["served_as"], "messages": [{"role": "user", "content": "Hi"}]}, prepare=_answers
        ),
        "POST /playground/chat-settings": Valid(lambda t: {"name": "Wordy"}),
        "PATCH /playground/chat-settings/{chat_setting_id}": Valid(lambda t: {"temperature": 0.5}),
        "PATCH /playground/chat-sessions/{chat_session_id}": Valid(lambda t: {"name": "Farewells"}),
        "POST /playground/chat-sessions/notes": Valid(
            lambda t: {"chat_session_id": t["chat_session_id"], "note": "Kind"}
        ),
        "PATCH /playground/chat-sessions/notes/{chat_note_id}": Valid(lambda t: {"note": "Kinder"}),
        "POST /playground/messages": Valid(_message),
        "PATCH /playground/messages/{message_id}": Valid(lambda t: {"feedback": "upvote"}),
    },
    changes_nothing={
        "POST /playground/initialize": _OPENS,
        "POST /playground/initialize-with-token": _OPENS,
        "POST /playground/chat/completions": "only asks a model",
        "POST /playground/chat-settings": _PRIVATE,
        "POST /playground/chat-sessions/notes": _PRIVATE,
        "POST /playground/messages": _PRIVATE,
        "PATCH /playground/chat-sessions/notes/{chat_note_id}": _PRIVATE,
        "DELETE /playground/chat-sessions/notes/{chat_note_id}": _PRIVATE,
        **{f"{method} /playground/{path}": _PRIVATE for path in _OWN for method in ("PATCH", "DELETE")},
    },
)
