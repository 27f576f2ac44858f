"""What must be there before anyone can sign in. Safe to run again, and by several replicas at once."""

from fastapi import FastAPI

from budapp.asset_ops.seeds import ensure_icons
from budapp.commons.config import Settings
from budapp.commons.database import WriteSession
from budapp.dataset_ops.seeds import ensure_benchmark_datasets
from budapp.integrations.keycloak import Keycloak
from budapp.integrations.storage import Storage
from budapp.model_ops import services as models
from budapp.model_ops.seeds import ensure_providers
from budapp.quantization_ops.seeds import ensure_methods
from budapp.template_ops.seeds import ensure_templates
from budapp.tenant_ops import services as tenants
from budapp.user_ops.accounts import ensure_administrator


async def seed(app: FastAPI) -> None:
    """Bring into being buckets, public datasets, providers, and the default tenant with all it needs to sign in.

    The administrator's password is set when the account is made, and never again.
    """
    settings: Settings = app.state.settings
    storage: Storage = app.state.storage
    for bucket in (settings.minio_bucket, settings.minio_model_bucket, settings.minio_dataset_bucket):
        await storage.ensure_bucket(bucket)
    async with app.state.database.write() as session:
        await tenants.lock_seeding(session)
        await ensure_benchmark_datasets(session)
        await ensure_icons(session)
        await ensure_templates(session)
        await ensure_methods(session)
        await tenants.refresh_realms(session, app.state.keycloak)
        await app.state.providers.refresh(session)
        if settings.catalogue_source is None or not await models.has_providers(session):
            await ensure_providers(session)
        await _seed_default_tenant(session, app.state.keycloak, settings, app)


async def _seed_default_tenant(session: WriteSession, keycloak: Keycloak, settings: Settings, app: FastAPI) -> None:
    tenant = await tenants.ensure_tenant(
        session,
        keycloak,
        app.state.encryption,
        name="Default",
        realm=settings.default_realm_name,
        client_id=settings.default_client_name,
        is_platform=True,
    )
    await ensure_administrator(
        session,
        keycloak,
        tenant_id=tenant.id,
        realm=tenant.realm_name,
        email=settings.super_user_email.lower(),
        password=settings.super_user_password.get_secret_value(),
    )
