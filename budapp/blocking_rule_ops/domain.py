"""Whom the gateway turns away."""

from datetime import timedelta

from redis.asyncio import Redis

from budapp.blocking_rule_ops import models
from budapp.blocking_rule_ops.routes import router
from budapp.blocking_rule_ops.services import BlockingRules
from budapp.blocking_rule_ops.tables import RuleTables
from budapp.commons.database import Database
from budapp.commons.domain import Component, Domain
from budapp.commons.jobs import Job
from budapp.integrations.dapr import DaprClient

domain = Domain(
    routers=(router,),
    tables=(models,),
    components=(
        Component(RuleTables, lambda c: RuleTables(c[Database], c[Redis])),
        Component(BlockingRules, lambda c: BlockingRules(c[RuleTables], c[DaprClient])),
    ),
    jobs=lambda c: (Job("sync_blocking_rules", timedelta(minutes=10), c[RuleTables].sync),),
)
