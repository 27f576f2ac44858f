"""What a token costs, as it is stored: no digit is lost, and what nobody says is nothing."""

from decimal import Decimal

import pytest

from budapp.deployment_ops.costs import cost_in_cloud, cost_on_cluster
from budapp.provider_ops.models import CloudModel


@pytest.mark.parametrize(
    ("going_in", "coming_out", "stored"),
    [
        (0.0000025, 0.00001, ("0.0000025", "0.00001")),
        (0.0000025, None, ("0.0000025", "0")),
        (None, 0.00001, ("0", "0.00001")),
    ],
)
def test_what_the_provider_asks_is_kept_to_the_last_digit(
    going_in: float | None, coming_out: float | None, stored: tuple[str, str]
) -> None:
    offer = CloudModel(input_cost={"input_cost_per_token": going_in}, output_cost={"output_cost_per_token": coming_out})
    found = cost_in_cloud(offer)
    assert found is not None
    assert (found["input_cost_per_token"], found["output_cost_per_token"]) == stored


@pytest.mark.parametrize("offer", [None, CloudModel(), CloudModel(input_cost={"input_cost_per_image": 1})])
def test_who_says_nothing_by_the_token_has_no_price(offer: CloudModel | None) -> None:
    assert cost_in_cloud(offer) is None


def test_a_cluster_costs_half_for_what_goes_in_and_half_for_what_comes_out() -> None:
    found = cost_on_cluster(Decimal("3.2"))
    assert found is not None
    assert (found["input_cost_per_token"], found["output_cost_per_token"]) == ("0.0000016", "0.0000016")
    assert cost_on_cluster(None) is None
