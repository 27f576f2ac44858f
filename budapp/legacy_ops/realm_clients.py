"""The clients of the realms, which this service asks for more than the former one did."""

from typing import Any

from budapp.commons.errors import AppError, NotFound
from budapp.integrations.keycloak import Keycloak
from budapp.integrations.keycloak_errors import translated

_KIND = "oidc-audience-mapper"


async def ensure_audience(keycloak: Keycloak, realm: str, client_id: str, name: str, *, check: bool) -> str:
    """Have the client's tokens name it as their audience, as this service asks; return what was found, in words.

    Args:
        keycloak: where both services' people sign in.
        realm: the tenant's realm.
        client_id: Keycloak's own id of the client.
        name: what the client is called.
        check: change nothing.
    """
    if not await keycloak.healthy():
        return "not looked at: Keycloak can't be reached at KEYCLOAK_SERVER_URL"
    admin = keycloak.admin(realm)
    try:
        with translated():
            if any(_names(mapper, name) for mapper in await admin.a_get_mappers_from_client(client_id)):
                return "its tokens name it as their audience"
            if check:
                return "its tokens don't name it as their audience yet: without --check it gets a mapper for that"
            await admin.a_add_mapper_to_client(client_id, _mapper(name))
    except NotFound:
        return "not looked at: Keycloak has no such realm or client"
    except AppError as error:
        return f"not looked at: {error}"
    return "got a mapper, so that its tokens name it as their audience"


def _names(mapper: dict[str, Any], name: str) -> bool:
    config = mapper.get("config") or {}
    return mapper.get("protocolMapper") == _KIND and config.get("included.client.audience") == name


def _mapper(name: str) -> dict[str, Any]:
    return {
        "name": "audience",
        "protocol": "openid-connect",
        "protocolMapper": _KIND,
        "config": {"included.client.audience": name, "access.token.claim": "true"},
    }
