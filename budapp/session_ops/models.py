from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base, TenantOwned


class UserSession(TenantOwned, Base):
    """What Keycloak does not know of a session, as budapp signs in on the person's behalf: device and address.

    Both are of the sign-in or the latest renewal. The row is a note: whether the session lives, Keycloak says. Which
    refresh token is the session's current one, it says better than Keycloak: by the token's hash and time of issue.
    """

    __tablename__ = "user_session"
    audited = NotAudited("sign-ins and ended sessions leave entries of their own")

    session_id: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    address: Mapped[str | None]
    user_agent: Mapped[str | None]
    is_offline: Mapped[bool]
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    refresh_token_hash: Mapped[str | None]
    refresh_issued_at: Mapped[datetime | None]
