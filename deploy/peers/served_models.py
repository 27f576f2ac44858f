"""What deployed models answer: an OpenAI-compatible server under the URL of each deployment."""

import hashlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from peers.deployments import Deployment, Deployments

PREFIX = "/served/{namespace}"
_DIMENSIONS = 64


class ChatRequest(BaseModel):
    """A request for a chat answer; what else clients send is taken and not looked at."""

    model_config = ConfigDict(extra="allow")

    model: str
    messages: list[dict[str, Any]] = Field(min_length=1)
    stream: bool = False
    max_tokens: int | None = Field(default=None, ge=1)
    stream_options: dict[str, Any] | None = None


class EmbeddingRequest(BaseModel):
    """A request for vectors."""

    model_config = ConfigDict(extra="allow")

    model: str
    input: str | list[str]
    dimensions: int = Field(default=_DIMENSIONS, ge=1, le=4096)


class ServedModels:
    """The routes."""

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments

    async def models(self, namespace: str) -> Response:
        """List what can be named as `model`: the deployment, and its adapters."""
        found = self._deployments.find(namespace)
        if found is None:
            return _no_deployment()
        cards = [{"id": name, "object": "model", "created": 0, "owned_by": "bud"} for name in _names(found)]
        return JSONResponse({"object": "list", "data": cards})

    async def chat(self, namespace: str, request: ChatRequest) -> Response:
        """Answer the last message, at once or word by word."""
        found = self._deployments.find(namespace)
        if (problem := _problem(found, request.model)) is not None:
            return problem
        words = _answer(request)
        whole = len(words)
        words = words[: request.max_tokens] if request.max_tokens else words
        reason = "stop" if len(words) == whole else "length"
        if request.stream:
            return StreamingResponse(_stream(request, words, reason), media_type="text/event-stream")
        message = {"role": "assistant", "content": "".join(words)}
        choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
        return JSONResponse(_chunk(request, "chat.completion", [choice]) | {"usage": _usage(request, words)})

    async def embeddings(self, namespace: str, request: EmbeddingRequest) -> Response:
        """Return a vector for each text, the same whenever it is asked for."""
        found = self._deployments.find(namespace)
        if (problem := _problem(found, request.model)) is not None:
            return problem
        texts = [request.input] if isinstance(request.input, str) else request.input
        data = [
            {"object": "embedding", "index": number, "embedding": _vector(text, request.dimensions)}
            for number, text in enumerate(texts)
        ]
        tokens = sum(len(text.split()) for text in texts)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return JSONResponse({"object": "list", "data": data, "model": request.model, "usage": usage})


def _names(deployment: Deployment) -> list[str]:
    return [deployment.endpoint_name, deployment.namespace, *deployment.adapters]


def _problem(deployment: Deployment | None, model: str) -> Response | None:
    if deployment is None:
        return _no_deployment()
    if deployment.status != "ready":
        return _error(503, f"The deployment is {deployment.status}", "service_unavailable")
    if model not in _names(deployment):
        return _error(404, f"The model {model} does not exist", "model_not_found")
    return None


def _no_deployment() -> Response:
    return _error(404, "There is no such deployment", "not_found")


def _error(status: int, message: str, code: str) -> Response:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return JSONResponse({"error": {"message": message, "type": kind, "param": None, "code": code}}, status)


def _text(content: Any) -> str:
    """Return the text of a message, whose content may be in parts."""
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def _answer(request: ChatRequest) -> list[str]:
    asked = _text(request.messages[-1].get("content"))
    words = f"This is {request.model}. You said: {asked}".split()
    return [word if number == 0 else f" {word}" for number, word in enumerate(words)]


def _usage(request: ChatRequest, words: list[str]) -> dict[str, int]:
    going_in = sum(len(_text(message.get("content")).split()) for message in request.messages)
    return {"prompt_tokens": going_in, "completion_tokens": len(words), "total_tokens": going_in + len(words)}


def _chunk(request: ChatRequest, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    about = {"id": f"chatcmpl-{uuid4().hex}", "object": kind, "created": int(time.time()), "model": request.model}
    return {**about, "choices": choices}


async def _stream(request: ChatRequest, words: list[str], reason: str) -> AsyncIterator[str]:
    first = _chunk(request, "chat.completion.chunk", [])
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}, *({"content": word} for word in words), {}]
    for number, delta in enumerate(deltas):
        ended = reason if number == len(deltas) - 1 else None
        yield _event({**first, "choices": [{"index": 0, "delta": delta, "finish_reason": ended, "logprobs": None}]})
    if (request.stream_options or {}).get("include_usage"):
        yield _event({**first, "usage": _usage(request, words)})
    yield "data: [DONE]\n\n"


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def _vector(text: str, dimensions: int) -> list[float]:
    blocks = (hashlib.sha256(f"{number} {text}".encode()).digest() for number in range(-(-dimensions // 32)))
    numbers = [byte / 127.5 - 1 for block in blocks for byte in block][:dimensions]
    length = sum(number * number for number in numbers) ** 0.5 or 1
    return [round(number / length, 6) for number in numbers]


def router(deployments: Deployments) -> APIRouter:
    """Return the routes, under the URL of each deployment."""
    server = ServedModels(deployments)
    routes = APIRouter(prefix=PREFIX + "/v1", tags=["served models"])
    routes.add_api_route("/models", server.models, methods=["GET"])
    routes.add_api_route("/chat/completions", server.chat, methods=["POST"])
    routes.add_api_route("/embeddings", server.embeddings, methods=["POST"])
    return routes
