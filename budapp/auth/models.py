from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base, TenantOwned


class PasswordReset(TenantOwned, Base):
    """A user's leave to set a new password without the old one: the newest only, once, and for a short while."""

    __tablename__ = "password_reset"
    audited = NotAudited("recorded as password_reset, when asked for and when used")

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), unique=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
