"""budprompt: what prompts say, by version, under an id; drafts end after a day unless they are made permanent."""

from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from budapp.commons.errors import BadRequest, NotFound, PeerFailed
from budapp.commons.logging import get_logger
from budapp.integrations.dapr import DaprClient, Peer, PeerRefused
from budapp.integrations.peers import Json, PeerCall, Reply, StepAnswer, read

logger = get_logger(__name__)

T = TypeVar("T", bound=BaseModel)

SECONDS = 8.0
_PATH = "v1/prompt"
_REFUSALS = frozenset({400, 409, 413, 422})

SCHEMA_EVENTS = "perform_prompt_schema"
SCHEMA_STEPS = (
    StepAnswer(id="validation", title="Validating the schema"),
    StepAnswer(id="code_generation", title="Generating the validation code"),
    StepAnswer(id="save_prompt_configuration", title="Saving the prompt"),
)


class _Open(Reply):
    """What may have members that budapp does not know: they are kept."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())


class PromptModelSettings(_Open):
    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None


class PromptMessage(Reply):
    role: str = "user"
    content: str


class McpTool(_Open):
    """The tools of connectors that a prompt may use; `gateway_config` has the gateway of each connector."""

    type: str = "mcp"
    server_label: str | None = Field(default=None, description="The connector's name")
    server_url: str | None = Field(default=None, description="The foundry's id of the server that has just these tools")
    allowed_tools: list[str] = Field(default=[], description="Ids of the tools that may be called")
    connector_id: str | None = None
    gateway_config: dict[str, str] = Field(default={}, description="Connector → the foundry's gateway for it")
    server_config: dict[str, list[str]] = Field(default={}, description="The foundry's server → ids of its tools")


class PromptData(_Open):
    """What a version of a prompt says."""

    deployment_name: str | None = None
    model_settings: PromptModelSettings | None = None
    stream: bool | None = None
    system_prompt: str | None = None
    system_prompt_role: str | None = None
    input_schema: Json | None = None
    input_validation: Json | None = None
    output_schema: Json | None = None
    output_validation: Json | None = None
    messages: list[PromptMessage] | None = None
    llm_retry_limit: int | None = None
    enable_tools: bool | None = None
    allow_multiple_calls: bool | None = None
    tools: list[McpTool] = []
    client_metadata: Json = {}


class PromptConfig(Reply):
    prompt_id: str
    version: int
    data: PromptData


class SavedPrompt(Reply):
    prompt_id: str
    version: int = Field(ge=1, le=1_000_000)


class PromptSchemaResult(Reply):
    """The result of taking over a schema."""

    prompt_id: str = Field(min_length=1, max_length=255)
    version: int = Field(default=1, ge=1, le=1_000_000)


def copy_config(source: str, source_version: int, target: str, version: int, *, as_default: bool) -> PeerCall:
    """Return the call that copies what a draft says to a version of a prompt, whatever that said before."""
    body = {
        "source_prompt_id": source,
        "source_version": source_version,
        "target_prompt_id": target,
        "target_version": version,
        "replace": True,
        "set_as_default": as_default,
    }
    return PeerCall(Peer.BUDPROMPT, "POST", f"{_PATH}/copy-config", body)


def delete_config(prompt_id: str, version: int | None = None) -> PeerCall:
    """Return the call that deletes what a prompt says, or one version of it."""
    query = f"?version={version}" if version is not None else ""
    return PeerCall(Peer.BUDPROMPT, "DELETE", f"{_PATH}/prompt-config/{quote(prompt_id, safe='')}{query}")


def set_default(prompt_id: str, version: int) -> PeerCall:
    """Return the call that makes a version the one which counts where none is named."""
    return PeerCall(
        Peer.BUDPROMPT, "POST", f"{_PATH}/set-default-version", {"prompt_id": prompt_id, "version": version}
    )


def clean_up(drafts: list[tuple[str, int]]) -> PeerCall:
    """Return the call that deletes drafts, given as id and version, with what connectors have for them."""
    prompts = [{"prompt_id": prompt_id, "version": version} for prompt_id, version in drafts]
    return PeerCall(Peer.BUDPROMPT, "POST", f"{_PATH}/prompt-cleanup", {"prompts": prompts, "debug": False})


def save_tools(prompt_id: str, version: int, tools: list[Json], *, permanent: bool) -> PeerCall:
    """Return the call that has a prompt use these tools, and no others."""
    body: Json = {"prompt_id": prompt_id, "version": version, "tools": tools, "permanent": permanent}
    return PeerCall(Peer.BUDPROMPT, "POST", f"{_PATH}/prompt-config", body)


def take_over_schema(body: Json) -> PeerCall:
    """Return the call that checks a schema and saves it in a prompt."""
    return PeerCall(Peer.BUDPROMPT, "POST", f"{_PATH}/prompt-schema", body)


class BudPrompt:
    """budprompt, asked with a deadline.

    Every method raises `PeerFailed` where it fails or makes no sense, `Unavailable` where it can't be reached in time,
    `NotFound` where it does not know the prompt, and `BadRequest` in its own words where it refuses.
    """

    def __init__(self, dapr: DaprClient) -> None:
        self._dapr = dapr

    async def config(self, prompt_id: str, version: int | None) -> PromptConfig:
        """Return what a version of a prompt says; the default one where none is named."""
        path, params = f"prompt-config/{quote(prompt_id, safe='')}", {"version": version, "raw_data": True}
        return await self._ask(PromptConfig, "GET", path, params=params)

    async def save(self, body: Json) -> SavedPrompt:
        """Save some of what a prompt says; what is left out stays as it is."""
        return await self._ask(SavedPrompt, "POST", "prompt-config", body=body)

    async def carry_out(self, call: PeerCall) -> None:
        """Have budprompt do what one of this module's calls says."""
        await self._send(call.method, call.path, call.json, None)

    async def _ask(self, schema: type[T], method: str, path: str, *, body: Any = None, params: Any = None) -> T:
        answer = await self._send(method, f"{_PATH}/{path}", body, params)
        try:
            found, odd = read(schema, answer)
        except ValidationError as error:
            logger.warning("peer_failed", peer=Peer.BUDPROMPT, path=path, answer="malformed")
            raise PeerFailed from error
        if odd:
            logger.warning("peer_answer_odd", peer=Peer.BUDPROMPT, path=path, members=sorted(odd)[:10])
        return found

    async def _send(self, method: str, path: str, body: Any, params: Any) -> Any:
        try:
            return await self._dapr.invoke(
                Peer.BUDPROMPT, method, path, json=body, params=params, timeout=SECONDS, idempotent=True
            )
        except PeerRefused as error:
            if error.peer_status == 404:
                raise NotFound("budprompt has no such prompt, or the draft is over") from error
            if error.peer_status in _REFUSALS:
                raise BadRequest(error.text) from error
            raise
