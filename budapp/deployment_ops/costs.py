"""What a token of a deployment costs, exactly."""

from decimal import Decimal

from budapp.deployment_ops.schemas import InferenceCost
from budapp.integrations.peers import Json
from budapp.provider_ops.models import CloudModel

_MILLION = Decimal(1_000_000)


def cost_in_cloud(offer: CloudModel | None) -> Json | None:
    """Return what the provider asks for a token, as it is stored; None where it says nothing by the token."""
    said = {**(offer.input_cost or {}), **(offer.output_cost or {})} if offer else {}
    found = {name: said.get(name) for name in ("input_cost_per_token", "output_cost_per_token")}
    if all(value is None for value in found.values()):
        return None
    return _stored(*(Decimal(str(value or 0)) for value in found.values()))


def cost_on_cluster(per_million: Decimal | None) -> Json | None:
    """Return what a token costs on a cluster, as it is stored: half for what goes in, half for what comes out."""
    if per_million is None:
        return None
    half = per_million / _MILLION / 2
    return _stored(half, half)


def _stored(going_in: Decimal, coming_out: Decimal) -> Json:
    cost = InferenceCost(input_cost_per_token=going_in, output_cost_per_token=coming_out)
    amounts = {name: f"{value:f}" for name, value in cost if isinstance(value, Decimal)}
    return {**amounts, "currency": cost.currency}
