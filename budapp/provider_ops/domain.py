"""The companies and hubs that models come from, and the models that clouds offer."""

from datetime import timedelta
from functools import partial

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Components, Domain
from budapp.commons.jobs import Job
from budapp.integrations.outgoing import Outgoing
from budapp.provider_ops import models
from budapp.provider_ops.catalog import sync_from
from budapp.provider_ops.commands import app as commands
from budapp.provider_ops.routes import router
from budapp.provider_ops.seeds import ensure_providers


def _jobs(c: Components) -> tuple[Job, ...]:
    settings = c[Settings]
    every = timedelta(hours=settings.catalog_sync_hours)
    return (Job("sync_catalog", every, partial(sync_from, c[Database], c[Outgoing], settings.catalog_source)),)


domain = Domain(
    routers=(router,), tables=(models,), jobs=_jobs, seeds=(ensure_providers,), commands={"catalog": commands}
)
