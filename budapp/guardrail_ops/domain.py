"""What is safe to say: probes, profiles of them, and where they stand before deployments."""

from datetime import timedelta
from functools import partial

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Component, Components, Domain
from budapp.commons.jobs import Job
from budapp.guardrail_ops import models
from budapp.guardrail_ops.catalog import sync_from
from budapp.guardrail_ops.commands import app as commands
from budapp.guardrail_ops.custom_workflow import CUSTOM_PROBE
from budapp.guardrail_ops.profile_routes import router as profile_router
from budapp.guardrail_ops.profile_routes import trial_router
from budapp.guardrail_ops.routes import router
from budapp.guardrail_ops.seeds import ensure_probes
from budapp.guardrail_ops.trial import Trials
from budapp.guardrail_ops.workflows import GUARDRAIL
from budapp.integrations.moderation import Moderators
from budapp.integrations.outgoing import Outgoing
from budapp.provider_credential_ops.services import ProviderCredentials


def _jobs(c: Components) -> tuple[Job, ...]:
    settings = c[Settings]
    every = timedelta(hours=settings.guardrail_sync_hours)
    sync = partial(sync_from, c[Database], c[Outgoing], settings.guardrail_catalog_url)
    return (Job("sync_guardrails", every, sync),)


def _trials(c: Components) -> Trials:
    return Trials(c[Database], Moderators(c[Outgoing]), c[ProviderCredentials])


domain = Domain(
    routers=(router, profile_router, trial_router),
    tables=(models,),
    components=(Component(Trials, _trials),),
    workflows=(GUARDRAIL, CUSTOM_PROBE),
    jobs=_jobs,
    seeds=(ensure_probes,),
    commands={"guardrails": commands},
)
