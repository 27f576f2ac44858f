from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base


class Icon(Base):
    """A picture that comes with the service; `file_path` is where it lies under `/static/`."""

    __tablename__ = "icon"
    audited = NotAudited("reference data that comes with the service")

    name: Mapped[str]
    file_path: Mapped[str] = mapped_column(unique=True)
    category: Mapped[str]
