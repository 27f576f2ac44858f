"""Services and models that look at texts: OpenAI's moderation, Azure AI Content Safety, the platform's own models."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import Field, ValidationError

from budapp.commons.errors import BadRequest, PeerFailed, Unavailable
from budapp.integrations.outgoing import ForbiddenAddress, Outgoing
from budapp.integrations.peers import Json, Reply

_SECONDS = 15
_OPENAI = "https://api.openai.com/v1"
_AZURE_VERSION = "2024-09-01"
_AZURE_CATEGORIES = {"Hate": "hate", "SelfHarm": "self-harm", "Sexual": "sexual", "Violence": "violence"}
_AZURE_MOST = 6
_JUDGE = (
    "Judge whether the user's text violates this policy. Answer with JSON alone: "
    '{"violation": true or false}. The policy: '
)


class _OpenAiResult(Reply):
    category_scores: dict[str, float]


class _OpenAi(Reply):
    results: list[_OpenAiResult] = Field(min_length=1)


class _AzureCategory(Reply):
    category: str
    severity: float


class _Azure(Reply):
    categoriesAnalysis: list[_AzureCategory]  # noqa: N815 - the service's name


class _Label(Reply):
    label: str
    score: float = Field(ge=0, le=1)


class _Classified(Reply):
    data: list[Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a model says: labels with their scores, or whether the text violates the policy."""

    labels: Mapping[str, float] = field(default_factory=dict)
    violates: bool | None = None


@dataclass(frozen=True, slots=True)
class Moderators:
    """Asks them, over addresses that may be asked.

    All methods raise `BadRequest` for an address that can't be used, `PeerFailed` where the service refuses or answers
    nonsense, and `Unavailable` where it can't be reached within 15 seconds.
    """

    outgoing: Outgoing

    async def of_provider(self, provider: str, key: Mapping[str, str], text: str) -> dict[str, float]:
        """Return how sure a provider is of each kind of harm, from 0 to 1.

        Args:
            provider: `openai` or `azure_content_safety`.
            key: the fields of a credential of that one.
            text: what it looks at.
        """
        if provider == "openai":
            return await self._openai(key, text)
        if provider == "azure_content_safety":
            return await self._azure(key, text)
        raise PeerFailed(f"Texts can't be tried with {provider}")

    async def of_model(self, url: str, name: str, scanner: str | None, policy: str, text: str) -> Verdict:
        """Return what a deployed model says: a classifier, or one that judges by a policy."""
        base = f"{url.rstrip('/').removesuffix('/v1')}/v1"
        if scanner == "llm":
            messages = [{"role": "system", "content": _JUDGE + policy}, {"role": "user", "content": text}]
            body: Json = {"model": name, "messages": messages, "temperature": 0}
            return Verdict(violates=_judged(await self._post(f"{base}/chat/completions", {}, body, ours=True)))
        answer = await self._post(f"{base}/classify", {}, {"model": name, "input": [text]}, ours=True)
        return Verdict(labels=_labels(answer))

    async def _openai(self, key: Mapping[str, str], text: str) -> dict[str, float]:
        base = key.get("api_base") or _OPENAI
        headers = {"Authorization": f"Bearer {key['api_key']}"}
        body = {"model": "omni-moderation-latest", "input": text}
        found = _read(_OpenAi, await self._post(f"{base.rstrip('/')}/moderations", headers, body))
        scores: dict[str, float] = {}
        for name, score in found.results[0].category_scores.items():
            group = name.partition("/")[0]
            scores[group] = max(scores.get(group, 0.0), score)
        return scores

    async def _azure(self, key: Mapping[str, str], text: str) -> dict[str, float]:
        address = f"{key['api_base'].rstrip('/')}/contentsafety/text:analyze?api-version={_AZURE_VERSION}"
        headers = {"Ocp-Apim-Subscription-Key": key["api_key"]}
        found = _read(_Azure, await self._post(address, headers, {"text": text[:10_000]}))
        return {
            _AZURE_CATEGORIES[one.category]: min(one.severity / _AZURE_MOST, 1.0)
            for one in found.categoriesAnalysis
            if one.category in _AZURE_CATEGORIES
        }

    async def _post(self, address: str, headers: Mapping[str, str], body: Json, *, ours: bool = False) -> Any:
        """Post, to an address that people have given, or to a deployment of ours, which may be anywhere."""
        own = httpx.AsyncClient(timeout=_SECONDS, trust_env=False) if ours else self.outgoing.client(seconds=_SECONDS)
        try:
            async with own as client:
                answer = await client.post(address, json=body, headers=dict(headers))
            answer.raise_for_status()
            return answer.json()
        except httpx.HTTPStatusError as error:
            raise PeerFailed(f"It answered {error.response.status_code}") from error
        except ForbiddenAddress as error:
            raise BadRequest(f"Its address can't be used: {error}") from error
        except httpx.HTTPError as error:
            raise Unavailable("It can't be reached") from error
        except ValueError as error:
            raise PeerFailed("It did not answer JSON") from error


def _read(schema: Any, answer: Any) -> Any:
    try:
        return schema.model_validate(answer)
    except ValidationError as error:
        raise PeerFailed("Its answer makes no sense") from error


def _judged(answer: Any) -> bool:
    """Return what a chat's answer says of the violation."""
    try:
        content = answer["choices"][0]["message"]["content"]
        verdict = json.loads(content[content.index("{") : content.rindex("}") + 1])["violation"]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise PeerFailed("The model's verdict can't be read") from error
    if not isinstance(verdict, bool):
        raise PeerFailed("The model's verdict can't be read")
    return verdict


def _labels(answer: Any) -> dict[str, float]:
    """Return the labels of the one text that was asked about."""
    rows = _read(_Classified, answer).data
    listed = rows[0] if rows and isinstance(rows[0], list) else rows
    return {one.label: one.score for one in (_read(_Label, row) for row in listed)}
