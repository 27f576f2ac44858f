"""`python -m benchmarks`: check, measure, print the table, and fail where a mark does not hold."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import asyncpg

from benchmarks import report
from benchmarks.cases import LARGE, SMALL, Target, targets
from benchmarks.checking import Checked, check
from benchmarks.ground import dsn, prepared
from benchmarks.load import Figures, Load, drive, median, wrk_path
from benchmarks.profiling import profile
from benchmarks.servers import Server, budapp_running, floor_running, free_port
from budapp.commons.config import Settings, SettingsError, load_settings
from budapp.integrations.keycloak import Keycloak

_WARM_UP_SECONDS = 2


def main() -> None:
    options = _options()
    try:
        settings = load_settings()
        settings = load_settings(
            psql_db_name=f"{settings.psql_db_name}_bench",
            default_realm_name=f"{settings.default_realm_name}-bench",
            keycloak_access_token_lifespan_seconds=3600,
            keycloak_timeout_seconds=60,
            keycloak_mirror_seconds=86_400,
            app_port=free_port(),
        )
    except SettingsError as error:
        sys.exit(str(error))
    missing = asyncio.run(_missing(settings, measures=not (options.check or options.profile)))
    if missing:
        sys.exit("This cannot be measured yet:\n" + "\n".join(f"- {line}" for line in missing))
    sys.exit(asyncio.run(_run(settings, options)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each server is measured (default: 3)")
    parser.add_argument("--seconds", type=int, default=5, help="how long each time (default: 5)")
    parser.add_argument("--connections", type=int, default=16, help="requests at a time (default: 16)")
    parser.add_argument("--only", default="", help="only the cases whose names hold this text")
    parser.add_argument("--check", action="store_true", help="only check answers, statements and plans")
    parser.add_argument("--profile", action="store_true", help="print where a request's time goes, by layer")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    return parser.parse_args()


async def _missing(settings: Settings, *, measures: bool) -> list[str]:
    """Return what is not there."""
    missing: list[str] = []
    if measures and wrk_path() is None:
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


async def _run(settings: Settings, options: argparse.Namespace) -> int:
    measures = not (options.check or options.profile)
    async with prepared(settings, (SMALL, LARGE), accounts=measures) as tenants:
        chosen = targets(tenants, options.only)
        if options.profile:
            print(await profile(settings, chosen))
            return 0
        checked = await check(settings, chosen)
        print("\n".join(checked.problems) or f"{len(chosen)} requests are answered as they should be")
        if checked.problems or options.check:
            return 1 if checked.problems else 0
        return _measure(settings, options, chosen, checked)


def _measure(settings: Settings, options: argparse.Namespace, chosen: list[Target], checked: Checked) -> int:
    load = Load(options.connections, options.seconds)
    with (
        tempfile.TemporaryDirectory() as folder,
        floor_running(checked.plan, Path(folder)) as floor,
        budapp_running(settings, Path(folder)) as budapp,
    ):
        results = [
            _compare(target, (floor, budapp), load, options.rounds, len(checked.statements[target.case.name]))
            for target in chosen
            if target.case.answer
        ]
        memory = budapp.memory_megabytes()
    marks = report.marks(results)
    print(f"\n{report.headline(load, options.rounds, memory)}\n")
    print(report.table(results), report.printed(marks), sep="\n\n")
    if options.write:
        report.write(results, marks, report.headline(load, options.rounds, memory))
    return 0 if all(mark.holds for mark in marks) else 1


def _compare(target: Target, servers: tuple[Server, Server], load: Load, rounds: int, statements: int) -> report.Result:
    """Measure both servers in turns."""
    figures: dict[Server, list[Figures]] = {server: [] for server in servers}
    for server in figures:
        _drive(server, target, Load(load.connections, _WARM_UP_SECONDS), "warm-up")
    for number in range(rounds):
        for server, found in figures.items():
            found.append(_drive(server, target, load, f"round {number}"))
    floor, budapp = figures.values()
    print(f"{target.case.name}: {' '.join(f'{f.rps:.0f}/{b.rps:.0f}' for f, b in zip(floor, budapp, strict=True))}")
    return report.Result(target.case, median(floor), median(budapp), statements)


def _drive(server: Server, target: Target, load: Load, names: str) -> Figures:
    posted = f"{names} of {server.pid}" if target.case.posts else None
    return drive(server, target.path, target.tenant.token, load, posted)


if __name__ == "__main__":
    main()
