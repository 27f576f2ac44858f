from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Row, Select, and_, cast, func, or_, select

from budapp.api_key_ops.models import Credential, CredentialType
from budapp.commons.access import Caller
from budapp.commons.crud import Crud, ModelT, Page
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import NotFound
from budapp.commons.paging import equal, matching
from budapp.commons.scopes import Scope
from budapp.endpoint_ops.models import Endpoint
from budapp.model_ops.models import Model
from budapp.playground_ops.models import ChatMessage, ChatNote, ChatSession, ChatSetting
from budapp.playground_ops.schemas import DeploymentQuery, MessageQuery, NamedQuery, NoteQuery
from budapp.pricing_ops.models import DeploymentPricing
from budapp.project_ops.models import Project
from budapp.project_ops.services import projects_holding, projects_in_reach

_MODEL = (
    *("id", "name", "author", "description", "uri", "source", "icon", "model_size", "modality"),
    *("supported_endpoints", "tasks", "tags", "provider_type", "strengths"),
)
_PROJECT = ("id", "name", "description", "icon", "project_type")
SORTABLE = {
    **{name: getattr(Endpoint, name) for name in ("id", "name", "status", "created_at", "modified_at")},
    "model_name": Model.name,
}
_WINDOWS = (
    (200_000_000_000, 100_000_000_000),
    (100_000_000_000, 50_000_000_000),
    (50_000_000_000, 30_000_000_000),
    (20_000_000_000, 10_000_000_000),
    (10_000_000_000, 5_000_000_000),
    (5_000_000_000, 2_000_000_000),
    (2_000_000_000, 1_000_000_000),
    (1_000_000_000, 500_000_000),
    (1_000_000, 100_000_000),
)
"""From this many parameters on, models with so many more or less count as being of the same size."""


class OwnCrud(Crud[ModelT]):
    """Rows of the caller's own: nobody else reads or changes them, whatever they may do otherwise."""

    soft_deleted = False

    def reach(self) -> list[Any]:
        """Add whose they are."""
        return [*super().reach(), self.model.user_id == self.caller.user_id]


class SettingCrud(OwnCrud[ChatSetting]):
    model = ChatSetting

    async def page_of_settings(self, query: NamedQuery) -> Page:
        """Return a page of `SettingListed` columns."""
        columns = {name: getattr(ChatSetting, name) for name in ("id", "name", "created_at", "modified_at")}
        found = self.visible(*columns.values()).where(*matching(query, name=ChatSetting.name))
        return await self.page(query, found, columns)


class SessionCrud(OwnCrud[ChatSession]):
    model = ChatSession

    async def page_of_sessions(self, query: NamedQuery) -> Page:
        """Return a page of `SessionListed` columns."""
        columns = {name: getattr(ChatSession, name) for name in ("id", "name", "created_at", "modified_at")}
        spent = select(func.coalesce(func.sum(ChatMessage.total_tokens), 0))
        spent = spent.where(ChatMessage.chat_session_id == ChatSession.id).correlate(ChatSession)
        found = self.visible(*columns.values(), spent.scalar_subquery().label("total_tokens"))
        return await self.page(query, found.where(*matching(query, name=ChatSession.name)), columns)

    async def with_setting(self, session_id: UUID) -> Row[Any]:
        """Return `ChatSession` and its `ChatSetting`, or raise `NotFound`."""
        statement = self.visible(ChatSession, ChatSetting).where(ChatSession.id == session_id)
        statement = statement.outerjoin(ChatSetting, ChatSetting.id == ChatSession.chat_setting_id)
        found: Row[Any] | None = (await self.session.execute(statement)).one_or_none()
        if found is None:
            raise NotFound("Chat session not found")
        return found


class MessageCrud(OwnCrud[ChatMessage]):
    model = ChatMessage

    async def page_of_messages(self, session_id: UUID, query: MessageQuery) -> Page:
        """Return a page of the messages of a session."""
        names = ("id", "created_at", "modified_at")
        sortable = {name: getattr(ChatMessage, name) for name in names}
        columns = [column for column in ChatMessage.__table__.columns if column.name not in {"tenant_id", "user_id"}]
        found = self.visible(*columns).where(ChatMessage.chat_session_id == session_id)
        return await self.page(query, found.where(*matching(query, prompt=ChatMessage.prompt)), sortable)

    async def last_of(self, session_id: UUID) -> UUID | None:
        """Return the id of the newest message of a session."""
        statement = self.visible(ChatMessage.id).where(ChatMessage.chat_session_id == session_id)
        statement = statement.order_by(ChatMessage.created_at.desc(), ChatMessage.id.desc()).limit(1)
        found: UUID | None = await self.session.scalar(statement)
        return found

    async def delete_child(self, session: WriteSession, message_id: UUID) -> None:
        """Delete the message that follows, with those after it."""
        for child in await session.scalars(self.visible().where(ChatMessage.parent_message_id == message_id)):
            await session.delete(child)


class NoteCrud(OwnCrud[ChatNote]):
    model = ChatNote

    async def page_of_notes(self, session_id: UUID, query: NoteQuery) -> Page:
        """Return a page of the notes on a session."""
        columns = {name: getattr(ChatNote, name) for name in ("id", "note", "created_at", "modified_at")}
        found = self.visible(*columns.values()).where(ChatNote.chat_session_id == session_id)
        sortable = {name: column for name, column in columns.items() if name != "note"}
        return await self.page(query, found.where(*matching(query, note=ChatNote.note)), sortable)


class DeploymentCrud(Crud[Endpoint]):
    """The deployments that the caller may call, with the key where one is given."""

    model = Endpoint

    def __init__(self, session: ReadSession, caller: Caller, key: Credential | None = None) -> None:
        super().__init__(session, caller)
        self.key = key

    def reach(self) -> list[Any]:
        """Add what may be called."""
        conditions = super().reach()
        if self.caller.is_client:
            return [*conditions, Endpoint.is_published, *self._key_limits()]
        mine = projects_holding(self.session, self.caller, Scope.ENDPOINT_VIEW)
        return [*conditions, Endpoint.project_id.in_(mine), *self._key_limits()]

    def _key_limits(self) -> list[ColumnElement[bool]]:
        key, limits = self.key, []
        if key is None:
            return []
        if key.credential_type != CredentialType.CLIENT_APP:
            limits.append(Endpoint.project_id == key.project_id)
        if key.endpoint_ids is not None:
            limits.append(Endpoint.id.in_(key.endpoint_ids))
        if key.model_ids is not None:
            limits.append(Endpoint.model_id.in_(key.model_ids))
        return limits

    def _with_models(self, *columns: Any) -> Select[Any]:
        current = and_(DeploymentPricing.endpoint_id == Endpoint.id, DeploymentPricing.is_current)
        statement = self.visible(*columns)
        statement = statement.join(Model, and_(Model.id == Endpoint.model_id, Model.tenant_id == Endpoint.tenant_id))
        return statement.join(Project, Project.id == Endpoint.project_id).outerjoin(DeploymentPricing, current)

    async def page_of_deployments(self, query: DeploymentQuery) -> Page:
        """Return a page of the columns of a `PlaygroundDeployment`, model and price flat."""
        columns = [
            *(getattr(Endpoint, name) for name in ("id", "name", "status", "created_at", "modified_at")),
            *(getattr(Model, name).label(f"model_{name}") for name in _MODEL),
            *(getattr(Project, name).label(f"project_{name}") for name in _PROJECT),
            *(getattr(DeploymentPricing, name) for name in ("input_cost", "output_cost", "currency", "per_tokens")),
            cast(Model.architecture_text_config["context_length"].astext, Integer).label("context_length"),
        ]
        found = self._with_models(*columns).where(*_wanted(query))
        return await self.page(query, found, SORTABLE)

    async def reaches_project(self, project_id: UUID) -> bool:
        """Tell whether the project is in the caller's reach."""
        mine = projects_in_reach(self.session, self.caller).where(Project.id == project_id)
        return await self.session.scalar(mine) is not None

    async def named(self, name: str) -> Endpoint:
        """Return the deployment of the name, or raise `NotFound`."""
        found: Endpoint | None = await self.session.scalar(
            self.visible().where(func.lower(Endpoint.name) == name.lower())
        )
        if found is None:
            raise NotFound("No deployment of this name that you may use", param="model")
        return found


def _wanted(query: DeploymentQuery) -> list[ColumnElement[bool]]:
    conditions = [
        *equal(query, status=Endpoint.status, project_id=Endpoint.project_id),
        *matching(query, name=Endpoint.name, model_name=Model.name),
    ]
    if query.modality:
        conditions.append(Model.modality.overlap(query.modality))
    for column, names in ((Model.tags, query.tags), (Model.tasks, query.tasks)):
        if names:
            conditions.append(or_(*(column.contains([{"name": name}]) for name in names)))
    if query.model_size is not None:
        size = int(query.model_size)
        window = next((width for least, width in _WINDOWS if size >= least), max(500_000, size // 2))
        conditions.append(Model.model_size.between(size - window, size + window))
    return conditions
