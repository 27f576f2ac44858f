"""What limits a key may have, whether they fit together, and which of them are reached."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from uuid import UUID

from budapp.api_key_ops.hooks import deployed
from budapp.api_key_ops.models import Credential
from budapp.commons.database import ReadSession
from budapp.commons.errors import BadRequest, NotFound, UnprocessableContent
from budapp.commons.hooks import hooks_of
from budapp.project_ops.models import Project


def as_stored(limits: Mapping[str, Any]) -> dict[str, Any]:
    """Return the limits as the columns hold them: money as exact text, addresses in one spelling.

    Raises:
        BadRequest: an address is none.
    """
    stored = dict(limits)
    if stored.get("model_budgets") is not None:
        stored["model_budgets"] = {str(model_id): str(amount) for model_id, amount in stored["model_budgets"].items()}
    if stored.get("ip_whitelist") is not None:
        stored["ip_whitelist"] = list(dict.fromkeys(map(_network, stored["ip_whitelist"])))
    for name in ("endpoint_ids", "model_ids"):
        if stored.get(name) is not None:
            stored[name] = list(dict.fromkeys(stored[name]))
    return stored


async def check(session: ReadSession, project: Project | None, key: Credential) -> None:
    """Check that the budgets add up, and that there is what the key is limited to.

    Raises:
        UnprocessableContent: the budgets of models exceed the budget of the key.
        NotFound: a deployment or model is none that the project's keys may open.
    """
    budgets = key.model_budgets or {}
    if key.max_budget is not None and sum(map(Decimal, budgets.values())) > key.max_budget:
        raise UnprocessableContent("The budgets of the models exceed max_budget", param="model_budgets")
    if not (budgets or key.endpoint_ids or key.model_ids):
        return
    rows = await hooks_of(session).one(deployed)(session, project) if project is not None else []
    endpoints, models = {row.id for row in rows}, {row.model_id for row in rows}
    _require("endpoint_ids", key.endpoint_ids or (), endpoints)
    _require("model_ids", key.model_ids or (), models)
    _require("model_budgets", budgets, set(map(str, models)))


@dataclass(frozen=True, slots=True)
class UsedUp:
    """Which budgets of a key are used up: that of the `whole` key, and those of models."""

    whole: bool
    model_ids: frozenset[UUID]


def used_up(key: Credential, spent: Mapping[str, str] | None) -> UsedUp:
    """Return which of the key's budgets are used up where that is what was spent, by model."""
    amounts = {model_id: Decimal(amount) for model_id, amount in (spent or {}).items()}
    over = (
        model_id
        for model_id, budget in (key.model_budgets or {}).items()
        if amounts.get(model_id, Decimal(0)) >= Decimal(budget)
    )
    whole = key.max_budget is not None and sum(amounts.values(), Decimal(0)) >= key.max_budget
    return UsedUp(whole, frozenset(map(UUID, over)))


def _require(param: str, wanted: Iterable[Any], known: set[Any]) -> None:
    if not set(wanted) <= known:
        what = "deployment" if param == "endpoint_ids" else "model"
        raise NotFound(f"A {what} is none that keys of this project can open", param=param)


def _network(text: str) -> str:
    """Return one spelling of the address or network; a network's host bits are dropped."""
    try:
        if "/" in text:
            return str(ip_network(text.strip(), strict=False))
        address = ip_address(text.strip())
        if isinstance(address, IPv6Address) and address.scope_id:
            raise ValueError
        return str(address)
    except ValueError as error:
        message = "Invalid IP address: write 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32"
        raise BadRequest(message, param="ip_whitelist") from error
