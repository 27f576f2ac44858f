from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited
from budapp.commons.database import Base, TenantOwned


class ConnectorGateway(TenantOwned, Base):
    """What reaches an MCP server for a tenant; `foundry_id` is the MCP Foundry's, which keeps the credentials.

    With `bud_prompt_id` it is that of one version of a prompt, or of a draft, alone; its tools are then offered by
    `virtual_server_id`.
    """

    __tablename__ = "connector_gateway"
    audited = Audited("config", name="name")
    __table_args__ = (CheckConstraint("auth_type in ('OAuth', 'Headers', 'Open')", name="auth_type"),)

    foundry_id: Mapped[str] = mapped_column(unique=True)
    connector_id: Mapped[str | None]
    name: Mapped[str]
    url: Mapped[str]
    description: Mapped[str | None]
    icon: Mapped[str | None]
    category: Mapped[str | None]
    documentation_url: Mapped[str | None]
    transport: Mapped[str]
    auth_type: Mapped[str]
    addresses: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    enabled: Mapped[bool] = mapped_column(default=True)
    clients: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    tags: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    is_custom: Mapped[bool] = mapped_column(default=False)
    bud_prompt_id: Mapped[str | None]
    prompt_version: Mapped[int | None]
    virtual_server_id: Mapped[str | None]
    tool_ids: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))

    @property
    def shown_tags(self) -> list[str]:
        """Its tags, with those by which clients say what they may use."""
        return [*self.tags, *(f"client:{name}" for name in self.clients)]


Index(
    "uq_connector_gateway_of_prompt",
    ConnectorGateway.tenant_id,
    ConnectorGateway.bud_prompt_id,
    ConnectorGateway.prompt_version,
    ConnectorGateway.connector_id,
    unique=True,
    postgresql_where=ConnectorGateway.bud_prompt_id.is_not(None),
)
Index(
    "ix_connector_gateway_created_at",
    ConnectorGateway.tenant_id,
    ConnectorGateway.created_at.desc(),
    ConnectorGateway.id.desc(),
)
