from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited
from budapp.commons.database import Base, TenantOwned
from budapp.commons.encrypted_columns import sealed
from budapp.commons.feeding import FeedsGateway


class ProviderCredential(TenantOwned, Base):
    """What a provider of models knows a customer by, in the fields that the provider asks for.

    `secrets_encrypted` is a JSON object of the secret fields, and `masked` what is shown of them; `settings` are the
    others. `gateway_key` is the secret that the gateway sends along, encrypted so that only the gateway can read it,
    with the public key that `gateway_key_id` names.
    """

    __tablename__ = "proprietary_credential"
    audited = Audited("secret", name="name", secrets={"masked", "gateway_key"})
    feeds_gateway = FeedsGateway({"provider_credential": ("id",)}, when=("settings", "gateway_key"))

    name: Mapped[str]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id"))
    type: Mapped[str]
    provider_id: Mapped[UUID | None] = mapped_column(ForeignKey("provider.id"))
    settings: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict)
    masked: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict)
    secrets_encrypted: Mapped[str] = sealed("proprietary_credential:{id}")
    gateway_key: Mapped[str | None]
    gateway_key_id: Mapped[str | None]

    @property
    def shown(self) -> dict[str, Any]:
        """The fields as people see them."""
        return {**self.settings, **self.masked}


_name = func.lower(ProviderCredential.name)
Index("uq_proprietary_credential_name", ProviderCredential.user_id, ProviderCredential.type, _name, unique=True)
Index(
    "ix_proprietary_credential_created_at",
    ProviderCredential.tenant_id,
    ProviderCredential.created_at.desc(),
    ProviderCredential.id.desc(),
)
