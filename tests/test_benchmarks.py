"""What is measured can be: requests are answered as the floor answers them, with few statements that read by index."""

from fastapi import FastAPI

from benchmarks.cases import LARGE, SMALL, targets
from benchmarks.checking import check
from benchmarks.ground import prepared
from benchmarks.mirror import seconds
from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from tests.cast import Cast


async def test_what_is_measured_is_answered_alike_with_few_statements_by_index(settings: Settings) -> None:
    own = {
        "psql_db_name": f"{settings.psql_db_name}-bench",
        "default_realm_name": f"{settings.default_realm_name}-bench",
    }
    settings = settings.model_copy(update=own)
    async with prepared(settings, (SMALL, LARGE), accounts=False) as tenants:
        checked = await check(settings, targets(tenants))
    assert checked.problems == []


async def test_how_long_a_realm_takes_is_measured(app: FastAPI, cast: Cast, settings: Settings) -> None:
    assert await seconds(components_of(app), cast.admin.tenant_id, settings.default_realm_name) > 0
