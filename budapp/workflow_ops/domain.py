"""Workflows: what takes several steps, and waits for other services."""

from datetime import timedelta

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Component, Components, Domain
from budapp.commons.jobs import Job
from budapp.integrations.dapr import DaprClient
from budapp.workflow_ops import models
from budapp.workflow_ops.definitions import Definition
from budapp.workflow_ops.routes import router
from budapp.workflow_ops.services import Workflows
from budapp.workflow_ops.step_views import WorkflowSteps

ASKS_PEERS = timedelta(minutes=30)
"""How long a job may run that asks other services, one after the other."""


def _workflows(c: Components) -> Workflows:
    types = [type for domain in c.domains for type in domain.workflows]
    definitions = [type for type in types if isinstance(type, Definition)]
    if len(definitions) != len(types):
        raise TypeError("The workflows of a domain are `Definition`s")
    views = [view for domain in c.domains for view in domain.step_views if issubclass(view, WorkflowSteps)]
    return Workflows(c[Database], c[DaprClient], c[Settings], definitions, views)


domain = Domain(
    routers=(router,),
    tables=(models,),
    components=(Component(Workflows, _workflows, stop=Workflows.stop),),
    jobs=lambda c: (
        Job("reconcile_workflows", timedelta(seconds=20), c[Workflows].reconciler.reconcile, limit=ASKS_PEERS),
        Job("expire_workflow_drafts", timedelta(hours=1), c[Workflows].reconciler.expire_drafts),
    ),
    schemas=lambda c: (c[Workflows].steps_view,),
    event_handlers=lambda c: c[Workflows].event_handlers(),
)
