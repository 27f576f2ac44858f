"""What people may do by the former service's own authorization settings in Keycloak."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from budapp.commons.errors import AppError, NotFound
from budapp.commons.scopes import GLOBAL_SCOPES, Scope, with_implied
from budapp.integrations.keycloak import Keycloak
from budapp.integrations.keycloak_errors import translated
from budapp.legacy_ops.declarations import Rights

_GLOBAL = re.compile(r"urn:bud:permission:(\w+):module:(view|manage)")
_PROJECT = re.compile(r"urn:bud:permission:project:([0-9a-f-]{36}):(view|manage)")
_PERSON = re.compile(r"urn:bud:policy:([0-9a-f-]{36})")

IN_KEYCLOAK = frozenset(GLOBAL_SCOPES) - {Scope.MODEL_BENCHMARK}
"""The scopes that Keycloak knows; the others were nobody's there."""


async def read_rights(keycloak: Keycloak, realm: str, client_id: str) -> Rights | str:
    """Return what people may do by the realm's client, or why that can't be read.

    Args:
        keycloak: where both services' people sign in.
        realm: the tenant's realm.
        client_id: Keycloak's own id of the client.
    """
    if not await keycloak.healthy():
        return "Keycloak can't be reached at KEYCLOAK_SERVER_URL"
    try:
        with translated():
            settings = await keycloak.admin(realm).a_get_client_authz_settings(client_id)
    except NotFound:
        return "Keycloak has no such realm, or the client is not in it or has no authorization settings"
    except AppError as error:
        return f"Keycloak has not said what people may do: {error}"
    return rights_in(settings)


def rights_in(settings: Mapping[str, Any]) -> Rights:
    """Return what people may do by a client's authorization settings, as Keycloak exports them."""
    people: dict[str, set[str]] = defaultdict(set)
    members: dict[tuple[str, str], set[str]] = defaultdict(set)
    for policy in settings.get("policies", ()):
        name = str(policy.get("name"))
        for person in _people(policy):
            if (found := _GLOBAL.fullmatch(name)) is not None:
                people[person].add(f"{found[1]}:{found[2]}")
            elif (found := _PROJECT.fullmatch(name)) is not None:
                members[found[1], person].add(f"endpoint:{found[2]}")
    return Rights(
        people={person: with_implied(scopes) & IN_KEYCLOAK for person, scopes in people.items()},
        members={member: with_implied(scopes) for member, scopes in members.items()},
    )


def _people(policy: Mapping[str, Any]) -> Iterator[str]:
    """Yield the accounts whose own policies a permission applies."""
    try:
        applied = json.loads((policy.get("config") or {}).get("applyPolicies", "[]"))
    except (TypeError, ValueError):
        return
    for name in applied if isinstance(applied, list) else ():
        found = _PERSON.fullmatch(str(name))
        if found is not None:
            yield found[1]
