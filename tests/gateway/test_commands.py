import httpx
from redis.asyncio import Redis

from budapp.api_key_ops.secrets import lookup_hash
from budapp.commons.config import Settings
from budapp.gateway_ops.services import GatewayTables
from tests.api_keys.data import make_key
from tests.cast import Cast
from tests.command_line import budapp
from tests.gateway.conftest import Deploy, all_entries
from tests.projects.data import create


async def test_the_commands_show_and_mend_what_differs(
    client: httpx.AsyncClient,
    cast: Cast,
    deploy: Deploy,
    tables: GatewayTables,
    valkey: Redis,
    own_settings: Settings,
    settings: Settings,
) -> None:
    project = await create(client, cast.manager)
    endpoint = await deploy(project["id"])
    key = await make_key(client, cast.manager, project["id"])
    foreign = await create(client, cast.other_admin, name="Foreign")
    their_key = await make_key(client, cast.other_admin, foreign["id"])
    entry, theirs = (f"api_key:{lookup_hash(one['key'])}" for one in (key, their_key))
    tenant = settings.default_realm_name

    found = await budapp(own_settings, "gateway", "diff")
    assert found.status == 1
    assert {f"missing {entry}", f"missing {theirs}", f"missing model_table:{endpoint.id}"} <= set(
        found.stdout.splitlines()
    )
    assert (await budapp(own_settings, "gateway", "rebuild", "--tenant", tenant)).status == 0
    assert set(await all_entries(valkey)) == {entry, f"model_table:{endpoint.id}"}
    assert (await budapp(own_settings, "gateway", "diff", "--tenant", tenant)).status == 0
    assert (await budapp(own_settings, "gateway", "rebuild")).status == 0
    quiet = await budapp(own_settings, "gateway", "diff")
    assert (quiet.status, quiet.stdout) == (0, "")
    assert {entry, theirs} <= set(await all_entries(valkey))
