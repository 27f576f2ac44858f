"""Tenants, as those who run the platform see them."""

from budapp.commons.config import Settings
from budapp.commons.domain import Component, Domain
from budapp.commons.encryption import Encryption
from budapp.integrations.keycloak import Keycloak
from budapp.platform_ops.commands import app as commands
from budapp.platform_ops.routes import router
from budapp.platform_ops.seeds import ensure_default_tenant
from budapp.platform_ops.services import Platform
from budapp.user_ops.callers import Callers

domain = Domain(
    routers=(router,),
    components=(Component(Platform, lambda c: Platform(c[Settings], c[Keycloak], c[Encryption], c[Callers])),),
    seeds=(ensure_default_tenant,),
    commands={"tenant": commands},
)
