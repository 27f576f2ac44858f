from sqlalchemy import ARRAY, String
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base


class QuantizationMethod(Base):
    """A way to make weights smaller: on which hardware it runs, to which types, and what runs the outcome."""

    __tablename__ = "quantization_method"
    audited = NotAudited("reference data that comes with the service")

    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str | None]
    hardware_support: Mapped[list[str]] = mapped_column(ARRAY(String))
    method_type: Mapped[list[str]] = mapped_column(ARRAY(String))
    runtime_hardware_support: Mapped[list[str]] = mapped_column(ARRAY(String))
