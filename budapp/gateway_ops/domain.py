"""The gateway's tables in Valkey: who may call which model, and how."""

from datetime import timedelta
from functools import partial

from redis.asyncio import Redis

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Component, Components, Domain
from budapp.commons.jobs import Job
from budapp.gateway_ops import models
from budapp.gateway_ops.commands import app as commands
from budapp.gateway_ops.limits import sync
from budapp.gateway_ops.reservations import Reservations
from budapp.gateway_ops.services import GatewayTables
from budapp.gateway_ops.spending import count_spending
from budapp.gateway_ops.store import GatewayStore
from budapp.gateway_ops.tokens import close_sessions, purge_tokens
from budapp.gateway_ops.worker import GatewayWorker
from budapp.integrations.dapr import DaprClient
from budapp.integrations.traffic import Traffic
from budapp.provider_credential_ops.services import ProviderCredentials
from budapp.user_ops.hooks import after_revocation


def _tables(c: Components) -> GatewayTables:
    return GatewayTables(c[Database], GatewayStore(c[Redis]), c[Settings], c[ProviderCredentials])


def _jobs(c: Components) -> tuple[Job, ...]:
    return (
        Job("mend_gateway_tables", timedelta(hours=1), c[GatewayTables].mend),
        Job("sync_usage_limits", timedelta(minutes=1), partial(sync, c[GatewayTables].limits, c[DaprClient])),
        Job("count_key_spending", timedelta(minutes=1), partial(count_spending, c[Database], c[Traffic])),
        Job("purge_gateway_tokens", timedelta(hours=1), partial(purge_tokens, c[Database])),
    )


domain = Domain(
    tables=(models,),
    components=(
        Component(GatewayTables, _tables),
        Component(Reservations, lambda c: Reservations(c[Redis], c[Database])),
        Component(
            GatewayWorker, lambda c: GatewayWorker(c[GatewayTables]), start=GatewayWorker.start, stop=GatewayWorker.stop
        ),
    ),
    hooks=(after_revocation.register(close_sessions),),
    jobs=_jobs,
    commands={"gateway": commands},
)
