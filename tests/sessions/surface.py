from datetime import timedelta

from redis.asyncio import Redis
from uuid_utils.compat import uuid7

from budapp.commons.database import now
from budapp.integrations.keycloak import Keycloak, RealmClient
from budapp.session_ops.models import UserSession
from tests.cast import PASSWORD
from tests.surface.share import Audited, RequestContext, SeedContext, Share, Things, Valid

VISITOR = "visitor@example.com"


async def _seed(context: SeedContext) -> Things:
    whose = {"tenant_id": context.tenant_id, "user_id": context.id_of("user_id")}
    times = {"last_used_at": now(), "expires_at": now() + timedelta(hours=1)}
    row = UserSession(session_id=str(uuid7()), is_offline=False, **whose, **times)
    await context.add(row)
    return {"session_id": row.session_id}


async def forgive(context: RequestContext) -> None:
    """Have forgotten what odd passwords have cost the visitor, who would have to wait, or be locked."""
    valkey = context.component(Redis)
    async for key in valkey.scan_iter(f"*:account:{context.things['tenant_id']}:{VISITOR}*"):
        await valkey.delete(key)
    realm = _client(context).realm
    await context.component(Keycloak).admin(realm).a_clear_all_bruteforce_attempts()


def _client(context: RequestContext) -> RealmClient:
    return context.realms.clients[context.things["tenant_id"] == str(context.scene.cast.other_tenant_id)]


async def sign_in(context: RequestContext, email: str = VISITOR) -> None:
    """Have a session for the request to use up."""
    if email == VISITOR:
        await forgive(context)
    tokens = await context.component(Keycloak).sign_in(_client(context), email, PASSWORD, remember=False)
    context.things.update(refresh_token=tokens["refresh_token"], session_id=tokens["session_state"])


async def _second_session(context: RequestContext) -> None:
    """Have the caller signed in elsewhere too."""
    if context.person is not None and context.is_of_the_tenant:
        await sign_in(context, context.person.email)


_VISITORS = {"user_id": "visitor_id"}

share = Share(
    "session_ops",
    seed=_seed,
    requests={
        "DELETE /users/me/sessions": Valid(prepare=_second_session),
        "DELETE /users/me/sessions/{session_id}": Valid(prepare=_second_session),
        "DELETE /users/{user_id}/sessions": Valid(path=_VISITORS, prepare=sign_in),
        "DELETE /users/{user_id}/sessions/{session_id}": Valid(path=_VISITORS, prepare=sign_in),
    },
    audited={
        "DELETE /users/me/sessions": Audited("logout", "session"),
        "DELETE /users/me/sessions/{session_id}": Audited("logout", "session"),
        "DELETE /users/{user_id}/sessions": Audited("logout", "session"),
        "DELETE /users/{user_id}/sessions/{session_id}": Audited("logout", "session"),
    },
)
