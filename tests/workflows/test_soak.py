"""Poison of each kind among the work of two tenants; `python -m benchmarks.soak` does the same for longer."""

from benchmarks.poison import POISONS
from benchmarks.soak import Place, soak
from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.integrations.storage import Storage
from tests.cast import Cast
from tests.replicas import Replica
from tests.workflows.conftest import Bench


async def test_healthy_work_goes_on_beside_poison_of_each_kind(
    bench: Bench, replica: Replica, cast: Cast, settings: Settings
) -> None:
    await components_of(bench.app)[Storage].ensure_bucket(settings.minio_dataset_bucket)
    tokens = [person.tokens["access_token"] for person in (cast.admin, cast.other_admin)]
    place = Place(str(replica.http.base_url), settings, str(bench.peer.http.base_url), tokens)
    outcome = await soak(place, 20)
    assert outcome.problems == []
    assert set(outcome.alone) == set(outcome.beside_poison) == {"add_model", "add_file"}
    assert set(outcome.poison) == set(POISONS)
