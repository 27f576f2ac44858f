"""Somebody's own talks with models: sessions, messages, settings and notes, which are nobody else's."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from budapp.auth.schemas import Tokens
from budapp.auth.services import AuthService
from budapp.commons.access import Authenticator, Caller
from budapp.commons.crud import Page
from budapp.commons.database import Database, ReadSession, WriteSession
from budapp.commons.errors import NotFound
from budapp.commons.origin import Origin
from budapp.gateway_ops.tokens import open_for_token
from budapp.playground_ops import schemas as view
from budapp.playground_ops.access import User
from budapp.playground_ops.crud import DeploymentCrud, MessageCrud, NoteCrud, SessionCrud, SettingCrud
from budapp.playground_ops.models import ChatMessage, ChatNote, ChatSession, ChatSetting
from budapp.project_ops.schemas import ProjectQuery
from budapp.project_ops.services import list_projects

_NAME_LENGTH = 20


class Playground:
    """Opens the playground: the gateway takes the access token from then on, as long as that counts."""

    def __init__(self, database: Database, auth: AuthService, authenticator: Authenticator) -> None:
        self._database = database
        self._auth = auth
        self._authenticator = authenticator

    async def with_refresh_token(self, refresh_token: str, origin: Origin) -> view.InitializedWithTokens:
        """Exchange the refresh token for new tokens, and open the gateway to the new access token.

        Raises:
            Unauthenticated: the token is not valid, has expired or was used before.
            NotFound: there is no project in reach.
        """
        tokens: Tokens = await self._auth.refresh(refresh_token, origin)
        opened = await self.with_access_token(tokens.access_token)
        return view.InitializedWithTokens(
            **{name: getattr(opened, name) for name in ("user_id", "ttl", "expires_in")},
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
        )

    async def with_access_token(self, access_token: str) -> view.Initialized:
        """Open the gateway to the access token.

        Raises:
            Unauthenticated: it is not valid.
            NotFound: there is no project in reach.
        """
        caller = await self._authenticator.authenticate(access_token)
        await self.open(caller, access_token)
        left = max(0, int((caller.token_expires_at - datetime.now(UTC)).total_seconds()))
        return view.Initialized(user_id=caller.user_id, ttl=left, expires_in=left)

    async def open(self, caller: Caller, access_token: str) -> None:
        """Open the gateway to the caller's access token; `NotFound` where they have no project."""
        async with self._database.write() as session:
            if (await list_projects(session, caller, ProjectQuery(limit=1))).total == 0:
                raise NotFound("There is no project that you take part in; have somebody add you to one")
            await open_for_token(session, caller, access_token, caller.token_expires_at)


async def list_deployments(session: ReadSession, user: User, query: view.DeploymentQuery) -> Page:
    """Return a page of the deployments that the user may call, the newest first.

    Raises:
        NotFound: the project that is asked for is out of reach.
    """
    crud = DeploymentCrud(session, user.caller, user.key)
    if query.project_id is not None and not await crud.reaches_project(query.project_id):
        raise NotFound("Project not found", param="project_id")
    return await crud.page_of_deployments(query)


def shown(row: Row[Any]) -> view.PlaygroundDeployment:
    """Return a row of the page as it is shown; a project that is somebody else's is not."""
    found = row._mapping
    model = {name: found[f"model_{name}"] for name in view.PlaygroundModel.model_fields}
    project = {name: found[f"project_{name}"] for name in view.PlaygroundProject.model_fields}
    priced = found["currency"] is not None
    about = {"currency": found["currency"], "per_tokens": found["per_tokens"]}
    costs = {name: {"cost": found[name], **about} if priced else None for name in ("input_cost", "output_cost")}
    return view.PlaygroundDeployment.model_validate({**found, "model": model, "project": project, **costs})


async def list_settings(session: ReadSession, caller: Caller, query: view.NamedQuery) -> Page:
    """Return a page of the caller's settings, the newest first."""
    return await SettingCrud(session, caller).page_of_settings(query)


async def get_setting(session: ReadSession, caller: Caller, setting_id: UUID) -> ChatSetting:
    """Return the caller's settings, or raise `NotFound`."""
    return await SettingCrud(session, caller).get(setting_id)


async def create_setting(session: WriteSession, caller: Caller, data: view.SettingCreate) -> ChatSetting:
    """Keep settings."""
    setting = ChatSetting(**_own(caller), **data.model_dump())
    session.add(setting)
    await session.flush()
    return setting


async def update_setting(
    session: WriteSession, caller: Caller, setting_id: UUID, data: view.SettingUpdate
) -> ChatSetting:
    """Change what was sent, or raise `NotFound`."""
    setting = await SettingCrud(session, caller).get(setting_id, for_update=True)
    await _change(session, setting, data.changes())
    return setting


async def delete_setting(session: WriteSession, caller: Caller, setting_id: UUID) -> None:
    """Delete the settings; sessions that had them have none then. `NotFound` where there are none."""
    await session.delete(await SettingCrud(session, caller).get(setting_id, for_update=True))


async def list_sessions(session: ReadSession, caller: Caller, query: view.NamedQuery) -> Page:
    """Return a page of the caller's sessions, the newest first, each with the tokens that it has cost."""
    return await SessionCrud(session, caller).page_of_sessions(query)


async def get_session(session: ReadSession, caller: Caller, session_id: UUID) -> view.ChatSessionView:
    """Return a session with its settings, or raise `NotFound`."""
    row = await SessionCrud(session, caller).with_setting(session_id)
    chat: ChatSession = row.ChatSession
    about = {name: getattr(chat, name) for name in ("id", "name", "created_at", "modified_at")}
    setting = view.SettingView.model_validate(row.ChatSetting) if row.ChatSetting is not None else None
    return view.ChatSessionView(**about, chat_setting=setting)


async def reach_session(session: ReadSession, caller: Caller, session_id: UUID) -> ChatSession:
    """Return the caller's session, or raise `NotFound`."""
    return await SessionCrud(session, caller).get(session_id)


async def update_session(
    session: WriteSession, caller: Caller, session_id: UUID, data: view.SessionUpdate
) -> view.ChatSessionView:
    """Change the name, or the settings.

    Raises:
        NotFound: no such session or settings of the caller's.
    """
    chat = await SessionCrud(session, caller).get(session_id, for_update=True)
    changes = data.changes()
    if changes.get("chat_setting_id") is not None:
        await SettingCrud(session, caller).get(changes["chat_setting_id"])
    await _change(session, chat, changes)
    return await get_session(session, caller, session_id)


async def delete_session(session: WriteSession, caller: Caller, session_id: UUID) -> None:
    """Delete a session with all that was said, or raise `NotFound`."""
    await session.delete(await SessionCrud(session, caller).get(session_id, for_update=True))


async def list_messages(session: ReadSession, caller: Caller, session_id: UUID, query: view.MessageQuery) -> Page:
    """Return a page of the messages of a session, the newest first; `NotFound` where it is not the caller's."""
    await reach_session(session, caller, session_id)
    return await MessageCrud(session, caller).page_of_messages(session_id, query)


async def reach_message(session: ReadSession, caller: Caller, message_id: UUID) -> ChatMessage:
    """Return the caller's message, or raise `NotFound`."""
    return await MessageCrud(session, caller).get(message_id)


async def create_message(session: WriteSession, caller: Caller, data: view.MessageCreate) -> ChatMessage:
    """Keep what was asked and answered: in the session that is named, behind its newest message, or in a new one.

    Raises:
        NotFound: no such session or settings of the caller's, or no such deployment that they may call.
    """
    await DeploymentCrud(session, caller).get(data.deployment_id)
    if data.chat_setting_id is not None:
        await SettingCrud(session, caller).get(data.chat_setting_id)
    chat, parent = await _session_for(session, caller, data)
    fields = data.model_dump(exclude={"chat_session_id", "chat_setting_id", "request_id"})
    message = ChatMessage(
        **_own(caller),
        **fields,
        chat_session_id=chat.id,
        parent_message_id=parent,
        request_id=UUID(data.request_id),
    )
    session.add(message)
    await session.flush()
    return message


async def _session_for(
    session: WriteSession, caller: Caller, data: view.MessageCreate
) -> tuple[ChatSession, UUID | None]:
    """Return the session, and its newest message: locked, so that two messages do not follow the same one."""
    if data.chat_session_id is not None:
        chat = await SessionCrud(session, caller).get(data.chat_session_id, for_update=True)
        if data.chat_setting_id is not None:
            chat.chat_setting_id = data.chat_setting_id
        return chat, await MessageCrud(session, caller).last_of(chat.id)
    name = data.prompt[:_NAME_LENGTH].strip()
    chat = ChatSession(**_own(caller), name=name, chat_setting_id=data.chat_setting_id)
    session.add(chat)
    await session.flush()
    return chat, None


async def update_message(
    session: WriteSession, caller: Caller, message_id: UUID, data: view.MessageUpdate
) -> ChatMessage:
    """Keep feedback, or another answer, which takes the place of the messages that followed.

    Raises:
        NotFound: no such message of the caller's, or no such deployment that they may call.
    """
    crud = MessageCrud(session, caller)
    message = await crud.get(message_id, for_update=True)
    if data.replaces:
        if data.deployment_id is not None:
            await DeploymentCrud(session, caller).get(data.deployment_id)
        await crud.delete_child(session, message_id)
    changes = data.changes()
    if "request_id" in changes:
        changes["request_id"] = UUID(changes["request_id"])
    await _change(session, message, changes)
    return message


async def delete_message(session: WriteSession, caller: Caller, message_id: UUID) -> None:
    """Delete a message with those that followed, or raise `NotFound`."""
    await session.delete(await MessageCrud(session, caller).get(message_id, for_update=True))


async def list_notes(session: ReadSession, caller: Caller, session_id: UUID, query: view.NoteQuery) -> Page:
    """Return a page of the notes on a session, the newest first; `NotFound` where it is not the caller's."""
    await reach_session(session, caller, session_id)
    return await NoteCrud(session, caller).page_of_notes(session_id, query)


async def reach_note(session: ReadSession, caller: Caller, note_id: UUID) -> ChatNote:
    """Return the caller's note, or raise `NotFound`."""
    return await NoteCrud(session, caller).get(note_id)


async def create_note(session: WriteSession, caller: Caller, data: view.NoteCreate) -> ChatNote:
    """Note something about a session; `NotFound` where it is not the caller's."""
    await reach_session(session, caller, data.chat_session_id)
    note = ChatNote(**_own(caller), **data.model_dump())
    session.add(note)
    await session.flush()
    return note


async def update_note(session: WriteSession, caller: Caller, note_id: UUID, data: view.NoteUpdate) -> ChatNote:
    """Write the note anew, or raise `NotFound`."""
    note = await NoteCrud(session, caller).get(note_id, for_update=True)
    await _change(session, note, {"note": data.note})
    return note


async def delete_note(session: WriteSession, caller: Caller, note_id: UUID) -> None:
    """Delete the note, or raise `NotFound`."""
    await session.delete(await NoteCrud(session, caller).get(note_id, for_update=True))


async def _change(session: WriteSession, row: Any, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(row, name, value)
    await session.flush()


def _own(caller: Caller) -> dict[str, UUID]:
    return {"tenant_id": caller.tenant_id, "user_id": caller.user_id}
