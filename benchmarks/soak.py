"""`python -m benchmarks.soak`: healthy work of two tenants, half of the time with one poison of each kind beside it.

budapp runs as in production, in a process of its own, on the running stack. Fails where healthy work fails or takes
much longer beside poison, or where a poison is not refused with a reason.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx

from benchmarks.delivery import Delivery
from benchmarks.ground import in_process_settings, peer_port, prepared
from benchmarks.poison import POISONS
from benchmarks.servers import budapp_running, free_port
from benchmarks.work import Desk, WentWrong, add_file, add_model
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Components
from budapp.domains import DOMAINS
from budapp.integrations.storage import Storage
from budapp.provider_ops.seeds import ensure_providers

LONGEST_SECONDS = 30
SLOWER = 2
"""How many times as long the median of healthy work may take beside poison."""
_PAUSE_SECONDS = 0.5
_POISON_PAUSE_SECONDS = 5

Work = Callable[[Desk], Awaitable[None]]


@dataclass
class Outcome:
    """How long each healthy piece of work took without and with poison beside it, how much poison was given, and all
    that was not as it should be."""

    alone: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    beside_poison: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    poison: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    problems: list[str] = field(default_factory=list)

    def check_pace(self) -> None:
        """Add a problem for each kind of work that poison has slowed down."""
        for name, seconds in self.alone.items():
            before, beside = statistics.median(seconds), statistics.median(self.beside_poison[name])
            if beside > SLOWER * before:
                self.problems.append(f"{name}: {before:.2f} s alone, {beside:.2f} s beside poison")


@dataclass(frozen=True)
class Place:
    """Where it soaks: budapp, its settings, budmodel's control routes, and the token of somebody of each tenant."""

    url: str
    settings: Settings
    budmodel: str
    tokens: Sequence[str]


async def soak(place: Place, seconds: float) -> Outcome:
    """Work for so long, half of the time with poison; return what came of it."""
    outcome = Outcome()
    async with AsyncExitStack() as stack:
        delivery = await stack.enter_async_context(Delivery(place.url, place.settings))
        control = await stack.enter_async_context(httpx.AsyncClient(base_url=place.budmodel, timeout=10))
        desks = []
        for token in place.tokens:
            headers = {"Authorization": f"Bearer {token}"}
            http = httpx.AsyncClient(base_url=place.url, headers=headers, timeout=LONGEST_SECONDS)
            desks.append(await Desk.open(await stack.enter_async_context(http), control, delivery))
        healthy = [(work.__name__, work, desk) for desk in desks for work in (add_model, add_file)]
        poison = [(name, work, desks[0]) for name, work in POISONS.items()]
        half = seconds / 2
        alone = [Repeated(*one, outcome.alone, outcome.problems) for one in healthy]
        beside = [Repeated(*one, outcome.beside_poison, outcome.problems) for one in healthy]
        beside += [Repeated(*one, outcome.poison, outcome.problems, _POISON_PAUSE_SECONDS) for one in poison]
        for together in (alone, beside):
            await asyncio.gather(*(one.run(half) for one in together))
    return outcome


@dataclass(frozen=True)
class Repeated:
    """Work that is done again and again, with a pause, and how long it took each time."""

    name: str
    work: Work
    desk: Desk
    found: dict[str, list[float]]
    problems: list[str]
    pause: float = _PAUSE_SECONDS

    async def run(self, seconds: float) -> None:
        """Go on for so long; do it once at least."""
        end = time.monotonic() + seconds
        while True:
            await self._once()
            if time.monotonic() > end:
                return
            await asyncio.sleep(self.pause)

    async def _once(self) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await self.work(self.desk)
        except (WentWrong, httpx.HTTPError, TimeoutError) as error:
            self.problems.append(f"{self.name}: {error!r}")
        self.found[self.name].append(time.monotonic() - began)


async def main() -> None:
    """Print how long the work took, and exit with 1 where something was not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long it goes on (default: 10)")
    minutes = parser.parse_args().minutes
    own = {"app_port": free_port(), "app_topic": f"soak-{uuid4().hex[:8]}"}
    settings = in_process_settings().model_copy(update=own)
    async with prepared(settings, (4, 5)) as tenants:
        await _fill(settings)
        with tempfile.TemporaryDirectory() as folder, budapp_running(settings, Path(folder)) as budapp:
            tokens = [tenant.token for tenant in tenants.values()]
            place = Place(budapp.url, settings, f"http://127.0.0.1:{peer_port('budmodel')}", tokens)
            outcome = await soak(place, minutes * 60)
    outcome.check_pace()
    _report(outcome)
    if outcome.problems:
        sys.exit("\n".join(["This was not as it should be:", *outcome.problems]))


async def _fill(settings: Settings) -> None:
    """Bring the providers and the bucket that the work needs."""
    components = Components(settings, DOMAINS)
    async with components[Database].write() as session:
        await ensure_providers(session, components)
    await components[Storage].ensure_bucket(settings.minio_dataset_bucket)
    await components.close()


def _report(outcome: Outcome) -> None:
    kinds: dict[str, dict[str, list[float]]] = {
        "alone": outcome.alone,
        "beside poison": outcome.beside_poison,
        "poison": outcome.poison,
    }
    print("| work | | times | median | slowest |\n|---|---|---|---|---|")
    for kind, found in kinds.items():
        for name, seconds in found.items():
            print(f"| {name} | {kind} | {len(seconds)} | {statistics.median(seconds):.2f} s | {max(seconds):.2f} s |")


if __name__ == "__main__":
    asyncio.run(main())
