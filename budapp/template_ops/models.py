from sqlalchemy import ARRAY, Integer
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base


class ModelTemplate(Base):
    """What a kind of use asks of a deployment; the same for all tenants.

    Lengths are in tokens, `ttft` in milliseconds and `e2e_latency` in seconds; ranges are [least, most].
    """

    __tablename__ = "model_template"
    audited = NotAudited("reference data that comes with the service")

    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str]
    icon: Mapped[str]
    template_type: Mapped[str]
    avg_sequence_length: Mapped[int | None]
    avg_context_length: Mapped[int | None]
    per_session_tokens_per_sec: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    ttft: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    e2e_latency: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
