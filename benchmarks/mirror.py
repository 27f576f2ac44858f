"""`python -m benchmarks.mirror`: how long it takes to compare a tenant's people with its realm in Keycloak.

The job does that for each tenant, one after the other, every `KEYCLOAK_MIRROR_SECONDS`. The stack must be up.
"""

import asyncio
import statistics
import time
from uuid import UUID

import asyncpg

from benchmarks.ground import dsn, in_process_settings, prepared
from budapp.commons.domain import Components
from budapp.domains import DOMAINS
from budapp.user_ops.keycloak_mirror import KeycloakMirror

SIZES = (20, 200, 1000)
ROUNDS = 5


async def main() -> None:
    """Print the seconds for tenants of several sizes."""
    settings = in_process_settings()
    async with prepared(settings, SIZES) as tenants:
        components = Components(settings, DOMAINS)
        connection = await asyncpg.connect(dsn(settings))
        for size, tenant in tenants.items():
            tenant_id = await connection.fetchval("select id from tenant where realm_name = $1", tenant.realm)
            print(f"{size} people: {await seconds(components, tenant_id, tenant.realm):.3f} s")
        await connection.close()
        await components.close()


async def seconds(components: Components, tenant_id: UUID, realm: str) -> float:
    """Return the median of a few comparisons."""
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await components[KeycloakMirror].mirror_tenant(tenant_id, realm)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


if __name__ == "__main__":
    asyncio.run(main())
