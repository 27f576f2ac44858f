from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base


class GatewayChange(Base):
    """Something of the gateway's tables that must be worked out anew; deleted once that is done.

    `item` is the id, or hash, of what is meant, as `kind` says.
    """

    __tablename__ = "gateway_change"
    audited = NotAudited("what follows from changes that leave entries of their own")

    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    kind: Mapped[str]
    item: Mapped[str]


Index("ix_gateway_change_position", GatewayChange.position)
