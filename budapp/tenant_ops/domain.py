"""Tenants: the companies on the platform, each with a realm of its own."""

from budapp.commons.database import WriteSession
from budapp.commons.domain import Components, Domain
from budapp.integrations.keycloak import Keycloak
from budapp.tenant_ops import models
from budapp.tenant_ops.services import refresh_realms


async def _refresh_realms(session: WriteSession, c: Components) -> None:
    await refresh_realms(session, c[Keycloak])


domain = Domain(tables=(models,), seeds=(_refresh_realms,))
