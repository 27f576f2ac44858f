"""Prompts: instructions, schemas and tools around a deployment, called like a model."""

from datetime import timedelta
from functools import partial

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Component, Domain
from budapp.commons.jobs import Job
from budapp.deployment_ops import hooks as deployment_hooks
from budapp.integrations.budprompt import BudPrompt
from budapp.integrations.dapr import DaprClient
from budapp.integrations.mcp_foundry import Foundry
from budapp.integrations.shared_calls import SharedCalls
from budapp.integrations.traces import PromptTraces
from budapp.prompt_ops import models, services
from budapp.prompt_ops.drafts import Drafts, purge
from budapp.prompt_ops.routes import router
from budapp.prompt_ops.versions import Versions
from budapp.prompt_ops.workflows import CREATION, SCHEMA

domain = Domain(
    routers=(router,),
    tables=(models,),
    workflows=(CREATION, SCHEMA),
    components=(
        Component(BudPrompt, lambda c: BudPrompt(c[DaprClient])),
        Component(Foundry, lambda c: Foundry(c[Settings]), close=Foundry.close),
        Component(Versions, lambda c: Versions(c[BudPrompt], c[Foundry], c[Database])),
        Component(PromptTraces, lambda c: PromptTraces(c[SharedCalls])),
        Component(Drafts, lambda c: Drafts(c[BudPrompt], c[Database])),
    ),
    hooks=(deployment_hooks.before_deletion.register(services.before_endpoint_deletion),),
    jobs=lambda c: (Job("purge_prompt_drafts", timedelta(hours=1), partial(purge, c[Database])),),
)
