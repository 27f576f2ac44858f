from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from budapp.auth.routes import Limited
from budapp.commons.access import Caller, Requires, public
from budapp.commons.database import Read, Write
from budapp.commons.deadlines import may_take
from budapp.commons.domain import provided
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.origin import OriginDep
from budapp.commons.query_parameters import ignores
from budapp.commons.schemas import Answer
from budapp.commons.scopes import Scope
from budapp.playground_ops import schemas as view
from budapp.playground_ops import services
from budapp.playground_ops.access import SignedInOrKey, User
from budapp.playground_ops.chat import Chats
from budapp.playground_ops.services import Playground

router = APIRouter(prefix="/playground", tags=["playground"], route_class=IdempotentRoute)
chat_router = APIRouter(prefix="/playground", tags=["playground"])

PlaygroundDep = Annotated[Playground, provided(Playground)]
ChatsDep = Annotated[Chats, provided(Chats)]
UserDep = Annotated[User, Depends(SignedInOrKey())]
Person = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW))]
OfSetting = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW, row=services.get_setting))]
OfSession = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW, row=services.reach_session))]
OfMessage = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW, row=services.reach_message))]
OfNote = Annotated[Caller, Depends(Requires(Scope.PROJECT_VIEW, row=services.reach_note))]
Named = Annotated[view.NamedQuery, Query()]
ANSWER_SECONDS = 120
_SETTING, _SESSION, _NOTE = (
    "/chat-settings/{chat_setting_id}",
    "/chat-sessions/{chat_session_id}",
    "/notes/{chat_note_id}",
)


@router.post("/initialize", dependencies=[public])
async def initialize(
    data: view.Initialize, limited: Limited, origin: OriginDep, playground: PlaygroundDep
) -> view.InitializedWithTokens:
    """Open the playground with a refresh token, which counts once; the new tokens are in the answer."""
    await limited()
    return await playground.with_refresh_token(data.refresh_token, origin)


@router.post("/initialize-with-token", dependencies=[public])
async def initialize_with_token(
    data: view.InitializeWithToken, limited: Limited, playground: PlaygroundDep
) -> view.Initialized:
    """Open the playground with an access token."""
    await limited()
    return await playground.with_access_token(data.access_token)


@router.get("/deployments", dependencies=[ignores("tool_enabled")])
async def list_deployments(
    user: UserDep, session: Read, query: Annotated[view.DeploymentQuery, Query()]
) -> view.DeploymentList:
    """List the deployments that the caller may call, or the API key in the header `api-key` opens."""
    page = await services.list_deployments(session, user, query)
    return view.DeploymentList(endpoints=[services.shown(row) for row in page.rows], **page.envelope())


@chat_router.post("/chat/completions", response_model=None, dependencies=[may_take(ANSWER_SECONDS)])
async def chat(
    data: view.ChatRequest, caller: Person, request: Request, chats: ChatsDep
) -> StreamingResponse | dict[str, Any]:
    """Talk with a deployment, OpenAI-compatible; with `stream`, the answer comes as server-sent events."""
    token = request.headers["authorization"].partition(" ")[2].strip()
    if not data.stream:
        return await chats.complete(caller, token, data)
    events = await chats.stream(caller, token, data)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


@router.get("/chat-settings")
async def list_settings(caller: Person, session: Read, query: Named) -> view.SettingList:
    """List the caller's settings, the newest first."""
    return view.SettingList.of(await services.list_settings(session, caller, query))


@router.post("/chat-settings")
async def create_setting(data: view.SettingCreate, caller: Person, session: Write) -> view.SettingAnswer:
    """Keep settings for chats."""
    setting = await services.create_setting(session, caller, data)
    return view.SettingAnswer(message="Settings kept", chat_setting=view.SettingView.model_validate(setting))


@router.get(_SETTING)
async def get_setting(chat_setting_id: UUID, caller: OfSetting, session: Read) -> view.SettingAnswer:
    """Get settings of the caller's."""
    setting = await services.get_setting(session, caller, chat_setting_id)
    return view.SettingAnswer(chat_setting=view.SettingView.model_validate(setting))


@router.patch(_SETTING)
async def update_setting(
    chat_setting_id: UUID, data: view.SettingUpdate, caller: OfSetting, session: Write
) -> view.SettingAnswer:
    """Change settings of the caller's."""
    setting = await services.update_setting(session, caller, chat_setting_id, data)
    return view.SettingAnswer(message="Settings changed", chat_setting=view.SettingView.model_validate(setting))


@router.delete(_SETTING)
async def delete_setting(chat_setting_id: UUID, caller: OfSetting, session: Write) -> Answer:
    """Delete settings of the caller's."""
    await services.delete_setting(session, caller, chat_setting_id)
    return Answer(object="chat_setting.delete", message="Settings deleted")


@router.get("/chat-sessions")
async def list_sessions(caller: Person, session: Read, query: Named) -> view.ChatSessionList:
    """List the caller's chats, the newest first, each with the tokens that it has cost."""
    return view.ChatSessionList.of(await services.list_sessions(session, caller, query))


@router.post("/chat-sessions/notes")
async def create_note(data: view.NoteCreate, caller: Person, session: Write) -> view.NoteAnswer:
    """Note something about a chat."""
    note = await services.create_note(session, caller, data)
    return view.NoteAnswer(note=view.NoteView.model_validate(note))


@router.patch("/chat-sessions" + _NOTE)
async def update_note(chat_note_id: UUID, data: view.NoteUpdate, caller: OfNote, session: Write) -> view.NoteAnswer:
    """Write a note anew."""
    note = await services.update_note(session, caller, chat_note_id, data)
    return view.NoteAnswer(note=view.NoteView.model_validate(note))


@router.delete("/chat-sessions" + _NOTE)
async def delete_note(chat_note_id: UUID, caller: OfNote, session: Write) -> Answer:
    """Delete a note."""
    await services.delete_note(session, caller, chat_note_id)
    return Answer(object="chat_note.delete", message="Note deleted")


@router.get(_SESSION)
async def get_session(chat_session_id: UUID, caller: OfSession, session: Read) -> view.SessionAnswer:
    """Get a chat of the caller's with its settings."""
    return view.SessionAnswer(chat_session=await services.get_session(session, caller, chat_session_id))


@router.patch(_SESSION)
async def update_session(
    chat_session_id: UUID, data: view.SessionUpdate, caller: OfSession, session: Write
) -> view.SessionAnswer:
    """Rename a chat, or have it go by other settings."""
    found = await services.update_session(session, caller, chat_session_id, data)
    return view.SessionAnswer(message="Chat session changed", chat_session=found)


@router.delete(_SESSION)
async def delete_session(chat_session_id: UUID, caller: OfSession, session: Write) -> Answer:
    """Delete a chat with all that was said."""
    await services.delete_session(session, caller, chat_session_id)
    return Answer(object="chat_session.delete", message="Chat session deleted")


@router.get(_SESSION + "/messages")
async def list_messages(
    chat_session_id: UUID, caller: OfSession, session: Read, query: Annotated[view.MessageQuery, Query()]
) -> view.MessageList:
    """List what was said in a chat, the newest first."""
    return view.MessageList.of(await services.list_messages(session, caller, chat_session_id, query))


@router.get(_SESSION + "/notes")
async def list_notes(
    chat_session_id: UUID, caller: OfSession, session: Read, query: Annotated[view.NoteQuery, Query()]
) -> view.NoteList:
    """List the notes on a chat, the newest first."""
    return view.NoteList.of(await services.list_notes(session, caller, chat_session_id, query))


@router.post("/messages")
async def create_message(data: view.MessageCreate, caller: Person, session: Write) -> view.MessageAnswer:
    """Keep what was asked and answered; without a chat that it belongs to, in a new one."""
    message = await services.create_message(session, caller, data)
    return view.MessageAnswer(chat_message=view.MessageView.model_validate(message))


@router.patch("/messages/{message_id}")
async def update_message(
    message_id: UUID, data: view.MessageUpdate, caller: OfMessage, session: Write
) -> view.MessageAnswer:
    """Keep feedback on an answer, or another answer."""
    message = await services.update_message(session, caller, message_id, data)
    return view.MessageAnswer(chat_message=view.MessageView.model_validate(message))


@router.delete("/messages/{message_id}")
async def delete_message(message_id: UUID, caller: OfMessage, session: Write) -> Answer:
    """Delete a message with those that followed."""
    await services.delete_message(session, caller, message_id)
    return Answer(object="chat_message.delete", message="Message deleted")
