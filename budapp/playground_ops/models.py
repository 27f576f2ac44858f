from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, String, literal_column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import NotAudited
from budapp.commons.database import Base, TenantOwned

_PRIVATE = "somebody's own talk with a model, which is nobody else's to read"


class Feedback(StrEnum):
    UPVOTE = "upvote"
    DOWNVOTE = "downvote"


class ChatSetting(TenantOwned, Base):
    """How somebody wants models to answer."""

    __tablename__ = "chat_setting"
    audited = NotAudited(_PRIVATE)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[str]
    system_prompt: Mapped[str | None]
    temperature: Mapped[float] = mapped_column(default=1.0)
    limit_response_length: Mapped[bool] = mapped_column(default=False)
    sequence_length: Mapped[int | None]
    stop_strings: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    repeat_penalty: Mapped[float | None]
    top_p_sampling: Mapped[float | None]
    structured_json_schema: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class ChatSession(TenantOwned, Base):
    """Somebody's talk with models."""

    __tablename__ = "chat_session"
    audited = NotAudited(_PRIVATE)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[str]
    chat_setting_id: Mapped[UUID | None] = mapped_column(ForeignKey("chat_setting.id", ondelete="SET NULL"))


class ChatMessage(TenantOwned, Base):
    """What was asked and answered; an answer that was given anew takes the place of those after it."""

    __tablename__ = "chat_message"
    audited = NotAudited(_PRIVATE)
    __table_args__ = (CheckConstraint("feedback in ('upvote', 'downvote')", name="feedback"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    chat_session_id: Mapped[UUID] = mapped_column(ForeignKey("chat_session.id", ondelete="CASCADE"))
    parent_message_id: Mapped[UUID | None] = mapped_column(ForeignKey("chat_message.id", ondelete="CASCADE"))
    request_id: Mapped[UUID]
    deployment_id: Mapped[UUID]
    prompt: Mapped[str]
    response: Mapped[dict[str, Any]] = mapped_column(JSONB)
    input_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    total_tokens: Mapped[int | None]
    token_per_sec: Mapped[float | None]
    ttft: Mapped[float | None]
    tpot: Mapped[float | None]
    e2e_latency: Mapped[float | None]
    is_cache: Mapped[bool] = mapped_column(default=False)
    harmfullness: Mapped[float | None]
    faithfulness: Mapped[float | None]
    feedback: Mapped[str | None]


class ChatNote(TenantOwned, Base):
    """What somebody noted about a talk of theirs."""

    __tablename__ = "chat_note"
    audited = NotAudited(_PRIVATE)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    chat_session_id: Mapped[UUID] = mapped_column(ForeignKey("chat_session.id", ondelete="CASCADE"))
    note: Mapped[str]


for _table in (ChatSetting, ChatSession):
    Index(f"ix_{_table.__tablename__}_user_id_created_at", _table.user_id, _table.created_at.desc(), _table.id.desc())
for _part in (ChatMessage, ChatNote):
    Index(
        f"ix_{_part.__tablename__}_chat_session_id_created_at",
        _part.chat_session_id,
        _part.created_at.desc(),
        _part.id.desc(),
    )
    Index(f"ix_{_part.__tablename__}_user_id", _part.user_id)
Index("ix_chat_session_chat_setting_id", ChatSession.chat_setting_id)
Index(
    "ix_chat_message_parent_message_id",
    ChatMessage.parent_message_id,
    postgresql_where=literal_column("parent_message_id is not null"),
)
