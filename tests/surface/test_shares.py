"""Each domain says what it brings to these tests, and nothing of others."""

import pytest
from sqlalchemy import select

from budapp.commons.database import Base
from tests.surface.routes import ROUTES
from tests.surface.share import Share
from tests.surface.shares import SHARES, operations_of
from tests.surface.surface import Surface

WITHOUT_ROWS = {
    "dataset_file_check": "a queue; files are in it until they have been read",
    "idempotency_record": "kept for a day, of requests that carry a key",
    "oauth_session": "nothing is put in any more: sign-ins that are on their way lie in the state store",
    "oauth_exchange": "nothing is put in any more: tokens that wait to be fetched lie in the state store",
}
"""Tables of tenants that the scene has no rows of, each with the reason."""


@pytest.mark.parametrize("share", SHARES, ids=lambda share: share.domain)
def test_a_share_is_of_one_domain_and_names_its_routes_only(share: Share) -> None:
    assert [other.domain for other in SHARES].count(share.domain) == 1
    assert {*share.requests, *share.audited, *share.changes_nothing} <= operations_of(share)


def test_every_domain_with_routes_has_a_share() -> None:
    assert sorted(name for share in SHARES for name in operations_of(share)) == sorted(ROUTES)


async def test_each_table_of_tenants_has_rows_of_both(surface: Surface) -> None:
    tenants = {surface.scene.cast.tenant_id, surface.scene.cast.other_tenant_id}
    tables = [table for table in Base.metadata.sorted_tables if "tenant_id" in table.columns]
    async with surface.database.read() as session:
        found = {
            table.name: set(await session.scalars(select(table.c.tenant_id).distinct())) & tenants for table in tables
        }
    lacking = {name for name, owners in found.items() if owners != tenants}
    assert lacking == WITHOUT_ROWS.keys()
