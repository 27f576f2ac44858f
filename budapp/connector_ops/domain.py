"""Connectors: MCP servers that prompts take tools from, behind the MCP Foundry, with people's consent."""

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Component, Components, Domain
from budapp.connector_ops import models, prompt_connectors
from budapp.connector_ops.consent_routes import router as consent_router
from budapp.connector_ops.consents import Consents
from budapp.connector_ops.prompt_connectors import PromptConnectors
from budapp.connector_ops.prompt_routes import router as prompt_router
from budapp.connector_ops.routes import router
from budapp.connector_ops.services import Gateways
from budapp.connector_ops.setting_up import GatewayChecks
from budapp.integrations.mcp_foundry import Foundry
from budapp.integrations.one_time import OneTimeValues
from budapp.integrations.outgoing import Outgoing
from budapp.prompt_ops import hooks


def _consents(c: Components) -> Consents:
    return Consents(c[Settings], c[Database], c[Foundry], c[OneTimeValues], c[GatewayChecks])


domain = Domain(
    routers=(prompt_router, consent_router, router),
    tables=(models,),
    components=(
        Component(GatewayChecks, lambda c: GatewayChecks(c[Settings], c[Outgoing])),
        Component(Gateways, lambda c: Gateways(c[Foundry], c[GatewayChecks])),
        Component(Consents, _consents),
        Component(PromptConnectors, lambda c: PromptConnectors(c[Foundry], c[Gateways], c[Consents])),
    ),
    hooks=(
        hooks.at_foundry.register(prompt_connectors.at_foundry),
        hooks.after_deletion.register(prompt_connectors.after_deletion),
        hooks.after_copy.register(prompt_connectors.after_copy),
    ),
)
