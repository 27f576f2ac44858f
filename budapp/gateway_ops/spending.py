"""What keys with budgets have spent: the tokens that budmetrics counts, at the prices of the deployments.

The gateway knows no budgets of keys. A model whose budget is used up, or the whole key, is taken out of its tables.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from budapp.api_key_ops.limits import UsedUp, used_up
from budapp.api_key_ops.models import Credential
from budapp.commons.database import Database, WriteSession, now
from budapp.events.notify import notify_users
from budapp.gateway_changes import services as changes
from budapp.gateway_ops import crud, spending_crud
from budapp.gateway_ops.rows import Deployment
from budapp.integrations.traffic import AnalyticsRow, Traffic, TrafficScope

_PROJECTS_AT_ONCE = 200
_SMALLEST = Decimal("1e-12")
_METRICS = ("input_token", "output_token")

Tokens = tuple[int, int]
"""Input and output tokens."""
Counts = dict[UUID, dict[UUID, Tokens]]
"""Key → deployment → tokens since the key was made."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a key has spent, by model, and the tokens of each deployment that are in it."""

    spent: Mapping[str, str]
    counted: Mapping[str, Sequence[int]]


async def count_spending(database: Database, traffic: Traffic) -> None:
    """Write down what keys with budgets have spent, and have the gateway refuse what is used up.

    Raises:
        PeerFailed, Unavailable: budmetrics; what is known stays.
    """
    async with database.read() as session:
        keys = await spending_crud.with_budgets(session)
        found = await crud.deployments(session, crud.opened_by(keys)) if keys else []
    if not found:
        return
    deployments = {one.id: one for one in found}
    key_ids = {row.Credential.id for row in keys}
    since = min(row.Credential.created_at for row in keys)
    counts = await _counts(traffic, key_ids, {one.project_id for one in found}, since)
    async with database.write() as session:
        for key in await spending_crud.locked(session, counts):
            await _charge(session, key, charged(key, counts[key.id], deployments))


def charged(key: Credential, counts: Mapping[UUID, Tokens], deployments: Mapping[UUID, Deployment]) -> Account:
    """Return the key's account with the tokens that are new, at the present prices.

    A count that has become smaller, as when budmetrics forgets old requests, costs nothing and is where the next one
    begins. What was called of a deployment that is gone is left out.
    """
    spent = {model_id: Decimal(amount) for model_id, amount in (key.spent or {}).items()}
    counted: dict[str, Sequence[int]] = dict(key.counted_tokens or {})
    for endpoint_id, tokens in counts.items():
        deployment = deployments.get(endpoint_id)
        if deployment is None:
            continue
        before = counted.get(str(endpoint_id), (0, 0))
        new = [max(0, count - known) for count, known in zip(tokens, before, strict=True)]
        model_id = str(deployment.model_id)
        spent[model_id] = spent.get(model_id, Decimal(0)) + cost(deployment, *new)
        counted[str(endpoint_id)] = list(tokens)
    return Account({model_id: str(amount) for model_id, amount in spent.items()}, counted)


def cost(deployment: Deployment, input_tokens: int, output_tokens: int) -> Decimal:
    """Return what the tokens cost: by the published price, else by what running the model costs; 0 without either."""
    price, own = deployment.price, deployment.inference_cost or {}
    if price is not None:
        whole = (input_tokens * price.input_cost + output_tokens * price.output_cost) / price.per_tokens
    else:
        each = [Decimal(str(own.get(f"{name}_cost_per_token") or 0)) for name in ("input", "output")]
        whole = input_tokens * each[0] + output_tokens * each[1]
    return whole.quantize(_SMALLEST)


async def _counts(
    traffic: Traffic, key_ids: Collection[UUID], project_ids: Collection[UUID], since: datetime
) -> Counts:
    found: Counts = {}
    ordered = sorted(project_ids)
    for at in range(0, len(ordered), _PROJECTS_AT_ONCE):
        scope = TrafficScope("project_id", frozenset(ordered[at : at + _PROJECTS_AT_ONCE]))
        body: dict[str, Any] = {
            "from_date": since.isoformat(),
            "to_date": now().isoformat(),
            "frequency_unit": "month",
            "metrics": list(_METRICS),
            "group_by": ["endpoint", "api_key"],
            "return_delta": False,
            "fill_time_gaps": False,
        }
        for period in (await traffic.analytics(scope, body)).items:
            for row in period.items or ():
                key_id, endpoint_id = row.api_key_id, row.endpoint_id
                if key_id in key_ids and key_id is not None and endpoint_id is not None:
                    of_key = found.setdefault(key_id, {})
                    of_key[endpoint_id] = _sum(of_key.get(endpoint_id, (0, 0)), _tokens(row))
    return found


def _tokens(row: AnalyticsRow) -> Tokens:
    counts = {name: figure.count or 0 for name, figure in row.data.items()}
    input_tokens, output_tokens = (max(0, int(counts.get(name, 0))) for name in _METRICS)
    return input_tokens, output_tokens


def _sum(one: Tokens, other: Tokens) -> Tokens:
    return one[0] + other[0], one[1] + other[1]


async def _charge(session: WriteSession, key: Credential, account: Account) -> None:
    before, after = used_up(key, key.spent), used_up(key, account.spent)
    await spending_crud.store(session, key.id, account.spent, account.counted)
    if before == after:
        return
    for hashed in filter(None, (key.hashed_key, key.previous_hashed_key)):
        changes.note(session, "key", hashed)
    await _tell(session, key, after)


async def _tell(session: WriteSession, key: Credential, budgets: UsedUp) -> None:
    whole = "The budget of the API key is used up; it opens nothing until the budget is raised"
    models = "The budget of a model is used up; the API key no longer opens it until the budget is raised"
    await notify_users(
        session,
        aggregate=f"project:{key.project_id}",
        subscriber_ids=[key.issued_by or key.user_id],
        type="credential_budget",
        title=key.name,
        message=whole if budgets.whole else models,
        target=("project", key.project_id) if key.project_id else None,
    )
