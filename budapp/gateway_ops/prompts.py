"""What the gateway is told of prompts: who may call which version, and that budprompt answers."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

from budapp.gateway_ops.rows import Deployment, Key, PromptEntry, Token

Json = dict[str, Any]


class DraftName(NamedTuple):
    """Which draft is meant, whether or not it is still there; its text is what a change notes."""

    user_id: str
    called: str
    version: str


class CallablePrompts:
    """The prompts whose deployments keys and tokens can open."""

    def __init__(self, prompts: Iterable[PromptEntry], running: Iterable[Deployment]) -> None:
        answering = {one.id for one in running}
        self._by_project: dict[UUID, list[PromptEntry]] = {}
        self._drafts: dict[UUID, list[PromptEntry]] = {}
        for prompt in prompts:
            if prompt.endpoint_id not in answering:
                continue
            if prompt.drafted_by is None:
                self._by_project.setdefault(prompt.project_id, []).append(prompt)
            else:
                self._drafts.setdefault(prompt.drafted_by, []).append(prompt)

    def of_key(self, key: Key) -> Json:
        """Return what a key opens: the prompts of its project, as far as it opens what answers them."""
        opened = (
            one
            for one in self._by_project.get(key.project_id, ())
            if (key.endpoint_ids is None or one.endpoint_id in key.endpoint_ids) and key.opens_models([one.model_id])
        )
        return dict(pair for one in opened for pair in _references(one))

    def of_token(self, token: Token) -> Json:
        """Return what a token opens: the prompts of its projects, and in the playground its owner's drafts there."""
        wanted = token.endpoint_ids
        found = [one for project_id in token.project_ids for one in self._by_project.get(project_id, ())]
        drafts = self._drafts.get(token.user_id, ()) if wanted is None else ()
        found += [one for one in drafts if one.project_id in token.project_ids]
        opened = (one for one in found if wanted is None or one.endpoint_id in wanted)
        return dict(pair for one in opened for pair in _references(one))


def model_of(prompt: PromptEntry, address: str) -> Json:
    """Return how a prompt is called: budprompt answers, with the rights of whoever asks."""
    provider = {
        "type": "budprompt",
        "model_name": f"prompt:{prompt.called}",
        "api_base": address,
        "api_key_location": "dynamic::authorization",
    }
    return {prompt.id: {"routing": ["budprompt"], "providers": {"budprompt": provider}, "endpoints": ["responses"]}}


def draft_texts(prompt: PromptEntry) -> Iterator[tuple[str, Json]]:
    """Yield where a draft's entries lie, and what they say."""
    name = f"draft_prompt:{prompt.drafted_by}:{prompt.called}"
    about = {"prompt_id": prompt.called, "user_id": str(prompt.drafted_by)}
    ids = {field: str(getattr(prompt, field)) for field in ("endpoint_id", "model_id", "project_id")}
    yield name, about
    yield f"{name}:v{prompt.version}", {**about, **ids, "version": prompt.version}


def draft_names(draft: DraftName) -> list[str]:
    """Return where the entries of a draft lie, beside the one that says how it is called."""
    name = f"draft_prompt:{draft.user_id}:{draft.called}"
    return [name, f"{name}:v{draft.version}"]


def _references(prompt: PromptEntry) -> Iterator[tuple[str, Json]]:
    ids = {field: str(getattr(prompt, field)) for field in ("endpoint_id", "model_id", "project_id")}
    about: Json = {"prompt_id": prompt.id, **ids, "version": prompt.version}
    if prompt.version_id is not None:
        about["prompt_version_id"] = str(prompt.version_id)
    yield f"prompt:{prompt.called}:v{prompt.version}", about
    if prompt.is_default:
        yield f"prompt:{prompt.called}", {**about, "is_default": True}
