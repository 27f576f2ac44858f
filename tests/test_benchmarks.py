"""The benchmarks' requests: answered as the floor answers them, with few statements that read by index."""

from benchmarks.cases import LARGE, SMALL, targets
from benchmarks.checking import check
from benchmarks.ground import prepared
from budapp.commons.config import Settings


async def test_what_is_measured_is_answered_alike_with_few_statements_by_index(settings: Settings) -> None:
    own = {
        "psql_db_name": f"{settings.psql_db_name}-bench",
        "default_realm_name": f"{settings.default_realm_name}-bench",
    }
    settings = settings.model_copy(update=own)
    async with prepared(settings, (SMALL, LARGE), accounts=False) as tenants:
        checked = await check(settings, targets(tenants))
    assert checked.problems == []
