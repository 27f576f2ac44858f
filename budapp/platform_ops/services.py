"""What those who run the platform do with tenants as a whole."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from budapp.commons.config import Settings
from budapp.commons.database import WriteSession
from budapp.commons.domain import provided
from budapp.commons.encryption import Encryption
from budapp.commons.scopes import UserRole, UserType
from budapp.integrations.keycloak import Keycloak
from budapp.platform_ops.schemas import Administrator, TenantCreate, TenantCreated
from budapp.tenant_ops import services as tenants
from budapp.tenant_ops.models import Tenant
from budapp.tenant_ops.schemas import TenantView
from budapp.user_ops.accounts import NewAccount, open_account, random_password
from budapp.user_ops.callers import Callers
from budapp.user_ops.models import UserStatus


@dataclass(frozen=True, slots=True)
class Platform:
    """Makes tenants, and lets them in or keeps them out."""

    settings: Settings
    keycloak: Keycloak
    encryption: Encryption
    callers: Callers

    async def create_tenant(self, session: WriteSession, data: TenantCreate) -> TenantCreated:
        """Make the tenant, its realm, client and first super administrator: all, or nothing.

        Raises:
            Conflict: see `tenant_ops.services.new_tenant`.
        """
        tenant = await tenants.new_tenant(
            session,
            self.keycloak,
            self.encryption,
            name=data.name,
            identifier=data.identifier,
            description=data.description,
            client_id=self.settings.default_client_name,
        )
        password = random_password()
        account = NewAccount(
            tenant_id=tenant.id,
            realm=tenant.realm_name,
            email=data.administrator_email,
            name=data.administrator_email.partition("@")[0],
            password=password,
            role=UserRole.SUPER_ADMIN,
            user_type=UserType.ADMIN,
            status=UserStatus.INVITED,
            must_change_password=True,
        )
        await open_account(session, self.keycloak, account)
        administrator = Administrator(email=account.email, password=password)
        return TenantCreated(tenant=TenantView.model_validate(tenant), administrator=administrator)

    async def set_active(self, session: WriteSession, tenant_id: UUID, *, active: bool) -> Tenant:
        """Let the tenant in, or keep it out: its tokens count no more from the commit on, its sessions are ended.

        Raises:
            NotFound, BadRequest: see `tenant_ops.services.set_active`.
        """
        self.callers.forget_tenant_after_commit(session, tenant_id)
        return await tenants.set_active(session, self.keycloak, tenant_id, active=active)


PlatformDep = Annotated[Platform, provided(Platform)]
