"""The stand-in for budprompt: what prompts say, by version; drafts end after a day, and schemas are taken over."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, HTTPException, status
from pydantic import BaseModel, ConfigDict, Field

from peers.control import Control
from peers.envelope import Info, WorkAnswer, WorkRequest, error
from peers.flow import Flow, Step
from peers.work import Order, StepFailed, Works

Fields = dict[str, Any]
_DAY = timedelta(hours=24)
_ADDRESS = "/v1/prompt"


class Message(BaseModel):
    """A message of a prompt."""

    role: Literal["system", "developer", "user", "assistant"] = "user"
    content: str


class ConfigBody(BaseModel):
    """What a version of a prompt says; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    prompt_id: str | None = None
    version: int | None = Field(default=None, ge=1)
    set_default: bool = False
    permanent: bool = False
    deployment_name: str | None = None
    model_settings: Fields | None = None
    stream: bool | None = None
    system_prompt: str | None = None
    messages: list[Message] | None = None
    llm_retry_limit: int | None = Field(default=None, ge=0)
    enable_tools: bool | None = None
    allow_multiple_calls: bool | None = None
    system_prompt_role: Literal["system", "developer", "user"] | None = None
    tools: list[Fields] = []
    client_metadata: Fields = {}


class CopyBody(BaseModel):
    """Which version becomes which."""

    source_prompt_id: str
    source_version: int
    target_prompt_id: str
    target_version: int
    replace: bool = True
    set_as_default: bool = False


class DefaultBody(BaseModel):
    """Which version counts where none is named."""

    prompt_id: str
    version: int


class CleanupItem(BaseModel):
    """A draft to delete."""

    prompt_id: str
    version: int | None = 1


class CleanupBody(WorkRequest):
    """Drafts to delete."""

    prompts: list[CleanupItem] | None = []


class SchemaBase(BaseModel):
    """A JSON schema, and what its fields must satisfy."""

    schema_: Fields | None = Field(default=None, alias="schema")
    validations: dict[str, dict[str, str]] | None = None


class SchemaBody(WorkRequest):
    """A schema to take over."""

    prompt_id: str | None = None
    version: int | None = None
    set_default: bool = False
    permanent: bool = False
    schema_: SchemaBase = Field(alias="schema")
    type: Literal["input", "output"]
    deployment_name: str | None = None
    endpoint_id: str | None = None
    model_id: str | None = None
    project_id: str | None = None
    user_id: str | None = None
    api_key_project_id: str | None = None
    access_token: str | None = None


class ResponseBody(BaseModel):
    """A question to a prompt, as OpenAI's responses have it."""

    model_config = ConfigDict(extra="allow")

    prompt: Fields
    input: Any = None


@dataclass
class Kept:
    """What a version says, and until when it is kept."""

    data: Fields = field(default_factory=lambda: {"tools": [], "client_metadata": {}})
    ends: datetime | None = None


class Prompts:
    """What the stand-in keeps, in memory."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[int, Kept]] = {}
        self._defaults: dict[str, int] = {}

    def save(self, prompt_id: str, version: int, said: Mapping[str, Any], *, permanent: bool) -> None:
        """Note what a version says now."""
        kept = self._kept.setdefault(prompt_id, {}).setdefault(version, Kept())
        kept.data = {**kept.data, **said}
        kept.ends = None if permanent else datetime.now(UTC) + _DAY
        self._defaults.setdefault(prompt_id, version)

    def find(self, prompt_id: str, version: int | None) -> tuple[int, Fields]:
        """Return a version's number and what it says, or answer 404."""
        number = version or self._defaults.get(prompt_id, 1)
        kept = self._kept.get(prompt_id, {}).get(number)
        if kept is None or (kept.ends is not None and kept.ends < datetime.now(UTC)):
            raise HTTPException(status.HTTP_404_NOT_FOUND, error("The prompt configuration was not found", "NotFound"))
        return number, kept.data

    def set_default(self, prompt_id: str, version: int) -> None:
        """Have a version count where none is named, or answer 404."""
        self.find(prompt_id, version)
        self._defaults[prompt_id] = version

    def delete(self, prompt_id: str, version: int | None) -> None:
        """Forget a prompt or a version, or answer 404."""
        if version is None:
            self.find(prompt_id, None)
            del self._kept[prompt_id]
        else:
            self.find(prompt_id, version)
            del self._kept[prompt_id][version]

    def copy(self, body: CopyBody) -> Fields:
        """Have a version say what another one says, for good; or answer 404."""
        _, data = self.find(body.source_prompt_id, body.source_version)
        target = self._kept.setdefault(body.target_prompt_id, {})
        before = {} if body.replace or body.target_version not in target else target[body.target_version].data
        copied = {**before, **json.loads(json.dumps(data))}
        target[body.target_version] = Kept(copied)
        self._defaults.setdefault(body.target_prompt_id, body.target_version)
        if body.set_as_default:
            self._defaults[body.target_prompt_id] = body.target_version
        return copied


_SCHEMA = Flow(
    type="perform_prompt_schema",
    steps=(
        Step(
            id="validation",
            title="Validating the schema",
            description="Check the schema",
            failed=("The schema is not valid", "{reason}"),
            started=("Validating", "The schema is looked at"),
            completed=("The schema is valid", "The schema was looked at"),
        ),
        Step(
            id="code_generation",
            title="Generating the validation code",
            description="Have the model write what checks the fields",
            failed=("No validation code", "{reason}"),
            completed=("Validation code generated", "The model has written it"),
        ),
        Step(
            id="save_prompt_configuration",
            title="Saving the prompt",
            description="Save the schema in the prompt",
            failed=("The prompt was not saved", "{reason}"),
            completed=("The prompt is saved", "The schema is in the prompt"),
        ),
    ),
    results=("Schema taken over", "The schema was taken over"),
)


def _take_over(prompts: Prompts, works: Works, body: SchemaBody) -> WorkAnswer:
    prompt_id, version = body.prompt_id or str(uuid4()), body.version or 1

    async def check() -> None:
        wanted = body.schema_.schema_
        if wanted is not None and "$defs" not in wanted and "properties" not in wanted:
            raise StepFailed("The schema has neither properties nor definitions")

    async def save() -> None:
        said: Fields = {f"{body.type}_schema": body.schema_.schema_}
        if body.schema_.validations:
            said[f"{body.type}_validation"] = {
                model: {name: {"prompt": text, "code": "def validate(value): return True"} for name, text in of.items()}
                for model, of in body.schema_.validations.items()
            }
        if body.deployment_name:
            said["deployment_name"] = body.deployment_name
        prompts.save(prompt_id, version, said, permanent=body.permanent)

    def result(work_id: UUID) -> Fields:
        about = {"object": "prompt_schema", "workflow_id": str(work_id), "created": int(datetime.now(UTC).timestamp())}
        return {**about, "prompt_id": prompt_id, "version": version}

    deeds = {"validation": check, "save_prompt_configuration": save}
    return works.start(Order(flow=_SCHEMA, request=body, result=result, facts={"reason": ""}, deeds=deeds))


def router(control: Control) -> APIRouter:
    """Return the routes of the contract."""
    prompts, works = Prompts(), Works(control, "budPromptMessages")
    routes = APIRouter(lifespan=works.lifespan)

    @routes.post(f"{_ADDRESS}/prompt-config")
    async def save(body: ConfigBody) -> Fields:
        prompt_id, version = body.prompt_id or str(uuid4()), body.version or 1
        about = {"prompt_id", "version", "set_default", "permanent"}
        said = body.model_dump(exclude=about, exclude_unset=True)
        prompts.save(prompt_id, version, said, permanent=body.permanent)
        if body.set_default:
            prompts.set_default(prompt_id, version)
        return {"object": "info", "message": "Saved", "prompt_id": prompt_id, "version": version}

    @routes.get(f"{_ADDRESS}/prompt-config/{{prompt_id}}")
    async def get(prompt_id: str, version: int | None = None, raw_data: bool = False) -> Fields:
        number, data = prompts.find(prompt_id, version)
        return {"object": "info", "message": "Found", "prompt_id": prompt_id, "version": number, "data": data}

    @routes.delete(f"{_ADDRESS}/prompt-config/{{prompt_id}}")
    async def delete(prompt_id: str, version: int | None = None) -> Info:
        prompts.delete(prompt_id, version)
        return Info(message="Deleted")

    @routes.post(f"{_ADDRESS}/copy-config")
    async def copy(body: CopyBody) -> Fields:
        return {"object": "info", "message": "Copied", **body.model_dump(), "data": prompts.copy(body)}

    @routes.post(f"{_ADDRESS}/set-default-version")
    async def set_default(body: DefaultBody) -> Info:
        prompts.set_default(body.prompt_id, body.version)
        return Info(message="Default version set")

    @routes.post(f"{_ADDRESS}/prompt-cleanup")
    async def clean_up(body: CleanupBody) -> Info:
        for one in body.prompts or []:
            try:
                prompts.delete(one.prompt_id, one.version)
            except HTTPException:
                continue
        return Info(message="Cleaned up")

    @routes.post(f"{_ADDRESS}/prompt-schema")
    async def take_over(body: SchemaBody) -> WorkAnswer:
        return _take_over(prompts, works, body)

    @routes.post("/v1/responses")
    @routes.post("/v1/responses/")
    async def respond(body: ResponseBody) -> Fields:
        called, version = str(body.prompt.get("id")), body.prompt.get("version")
        number, data = prompts.find(called, int(version) if version else None)
        said = f"{data.get('system_prompt') or ''} {body.input or ''}".strip()
        content = [{"type": "output_text", "text": said, "annotations": []}]
        output = [{"id": f"msg_{uuid4().hex}", "type": "message", "role": "assistant", "content": content}]
        about = {"object": "response", "status": "completed", "model": data.get("deployment_name"), "output": output}
        return {"id": f"resp_{uuid4().hex}", **about, "prompt": {"id": called, "version": str(number)}}

    return routes
