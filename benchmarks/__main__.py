"""`python -m benchmarks`: measure, print the table, and fail where a mark does not hold."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from benchmarks import report
from benchmarks.cases import Case, cases_on
from benchmarks.floor import Plan, Query
from benchmarks.ground import TenantGround, dsn, prepared
from benchmarks.load import Figures, Load, drive, median, wrk_path
from benchmarks.servers import Server, budapp_running, floor_running, free_port
from benchmarks.statements import Statement, statements_of
from budapp.commons.config import Settings, SettingsError, load_settings
from budapp.integrations.keycloak import Keycloak

SIZES = (200, 20_000)
_WARM_UP_SECONDS = 2


def main() -> None:
    options = _options()
    try:
        settings = load_settings()
        settings = load_settings(
            psql_db_name=f"{settings.psql_db_name}_bench",
            default_realm_name=f"{settings.default_realm_name}-bench",
            keycloak_access_token_lifespan_seconds=3600,
            app_port=free_port(),
        )
    except SettingsError as error:
        sys.exit(str(error))
    missing = asyncio.run(_missing(settings))
    if missing:
        sys.exit("This cannot be measured yet:\n" + "\n".join(f"- {line}" for line in missing))
    sys.exit(asyncio.run(_measure(settings, options)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each server is measured (default: 3)")
    parser.add_argument("--seconds", type=int, default=5, help="how long each time (default: 5)")
    parser.add_argument("--connections", type=int, default=32, help="requests at a time (default: 32)")
    parser.add_argument("--only", default="", help="only the cases whose names hold this text")
    return parser.parse_args()


async def _missing(settings: Settings) -> list[str]:
    """Return what is not there."""
    missing: list[str] = []
    if wrk_path() is None:
        missing.append("wrk is not on the PATH: apt-get install wrk")
    try:
        await (await asyncpg.connect(dsn(settings, "postgres"), timeout=5)).close()
    except (OSError, asyncpg.PostgresError) as error:
        missing.append(f"PostgreSQL does not let us in ({error}): ./deploy/start_dev.sh --infra-only -d")
    keycloak = Keycloak(settings)
    if not await keycloak.healthy():
        missing.append("Keycloak does not answer: ./deploy/start_dev.sh --infra-only -d")
    await keycloak.close()
    return missing


async def _measure(settings: Settings, options: argparse.Namespace) -> int:
    async with prepared(settings, SIZES) as (small, large):
        cases = [case for case in cases_on(small, large) if options.only in case.name]
        sent = await statements_of(settings, cases_on(small, large))
        plan = await _plan(settings, (small, large), sent)
        load = Load(options.connections, options.seconds)
        with (
            tempfile.TemporaryDirectory() as folder,
            floor_running(plan, Path(folder)) as floor,
            budapp_running(settings, Path(folder)) as budapp,
        ):
            results = [_compare(case, (floor, budapp), load, options.rounds, sent[case.name]) for case in cases]
    marks = report.marks(results, "GET /projects/ of 200", "GET /projects/ of 20,000")
    print(f"\n{load.connections} connections, medians of {options.rounds} x {load.seconds} s; {report.machine()}\n")
    print(report.table(results), report.printed(marks), sep="\n\n")
    return 0 if all(mark.holds for mark in marks) else 1


async def _plan(settings: Settings, tenants: tuple[TenantGround, ...], sent: dict[str, list[Statement]]) -> Plan:
    """Tell the floor which statements budapp answers the reads with."""
    keycloak = Keycloak(settings)
    found = {realm: (await keycloak.signing_keys(realm))["keys"] for realm in (tenant.realm for tenant in tenants)}
    await keycloak.close()
    small, large = tenants
    return Plan(
        port=free_port(),
        dsn=dsn(settings),
        connections=settings.psql_pool_size,
        issuer_base=settings.keycloak_issuer_base,
        client_id=small.client_id,
        keys={realm: [key for key in keys if key["use"] == "sig"] for realm, keys in found.items()},
        lists={
            small.realm: _query(sent["GET /projects/ of 200"]),
            large.realm: _query(sent["GET /projects/ of 20,000"]),
        },
        details={large.realm: _query(sent["GET /projects/{id}"])},
    )


def _query(sent: list[Statement]) -> Query:
    """Return the statement that brings the rows; others, if any, are budapp's own affair."""
    statement = max(sent, key=lambda one: len(one.sql))
    return Query(statement.sql, statement.parameters)


def _compare(
    case: Case, servers: tuple[Server, Server], load: Load, rounds: int, sent: list[Statement]
) -> report.Result:
    """Measure both servers in turns."""
    _check_same(case, servers)
    figures: dict[Server, list[Figures]] = {server: [] for server in servers}
    for server in figures:
        _drive(server, case, Load(load.connections, _WARM_UP_SECONDS), "warm-up")
    for number in range(rounds):
        for server, found in figures.items():
            found.append(_drive(server, case, load, f"round {number}"))
    floor, budapp = figures.values()
    print(f"{case.name}: {' '.join(f'{f.rps:.0f}/{b.rps:.0f}' for f, b in zip(floor, budapp, strict=True))}")
    return report.Result(case, median(floor), median(budapp), len(sent))


def _drive(server: Server, case: Case, load: Load, names: str) -> Figures:
    return drive(server, case.path, case.token, load, f"{names} of {server.pid}" if case.posts else None)


def _check_same(case: Case, servers: tuple[Server, Server]) -> None:
    """Make sure that both bring the same rows."""
    if case.posts:
        return
    headers = {"Authorization": f"Bearer {case.token}"}
    answers = [httpx.get(f"{server.url}{case.path}", headers=headers) for server in servers]
    floor_rows, budapp_rows = (_rows(answer.raise_for_status().json()) for answer in answers)
    if floor_rows != budapp_rows:
        raise RuntimeError(f"{case.name}: the servers do not answer alike:\n{floor_rows}\n{budapp_rows}")


def _rows(value: Any) -> Any:
    """Return the answer without what the floor leaves out, and with moments written one way."""
    if isinstance(value, dict):
        return {name: _rows(item) for name, item in value.items() if name not in {"message", "next_cursor"}}
    if isinstance(value, list):
        return [_rows(item) for item in value]
    return value.replace("+00:00", "Z") if isinstance(value, str) else value


if __name__ == "__main__":
    main()
