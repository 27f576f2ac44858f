"""What goes into models and comes out of them, and the endpoints that follow from it."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from budapp.commons.schemas import Schema

Modality = Literal["text_input", "text_output", "image_input", "image_output", "audio_input", "audio_output"]

EndpointPath = Literal[
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/images/generations",
    "/v1/audio/transcriptions",
    "/v1/audio/speech",
    "/v1/embeddings",
    "/v1/classify",
    "/v1/batch",
    "/v1/responses",
    "/v1/rerank",
    "/v1/moderations",
    "/v1/documents",
    "/v1/audio/translations",
    "/v1/images/edits",
    "/v1/images/variations",
]

CHAT = "/v1/chat/completions"
EMBEDDING = "/v1/embeddings"
SPEECH = "/v1/audio/speech"
IMAGES = "/v1/images/generations"
DOCUMENTS = "/v1/documents"
CLASSIFY = "/v1/classify"
TRANSCRIPTIONS = ("/v1/audio/transcriptions", "/v1/audio/translations")
_TEXT = ("text_input", "text_output")
_HEARS = (*_TEXT, "audio_input")
_SEES = (*_TEXT, "image_input")

_KEYWORDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "llm": (_TEXT, (CHAT,)),
    "mllm": (_SEES, (CHAT, DOCUMENTS)),
    "image": (("text_input", "image_output"), (IMAGES,)),
    "embedding": (_TEXT, (EMBEDDING,)),
    "llm_embedding": (_TEXT, (EMBEDDING,)),
    "mllm_embedding": (_SEES, (EMBEDDING,)),
    "text_to_speech": (("text_input", "audio_output"), (SPEECH,)),
    "speech_to_text": (("audio_input", "text_output"), TRANSCRIPTIONS),
    "audio_translation": (("audio_input", "text_output"), TRANSCRIPTIONS),
    "image_edit": ((*_SEES, "image_output"), ("/v1/images/edits",)),
    "image_variation": (("image_input", "image_output"), ("/v1/images/variations",)),
    "audio_llm": (_HEARS, (CHAT, *TRANSCRIPTIONS)),
    "audio_llm_tts": ((*_HEARS, "audio_output"), (CHAT, *TRANSCRIPTIONS, SPEECH)),
    "omni": ((*_HEARS, "image_input"), (CHAT, DOCUMENTS, *TRANSCRIPTIONS)),
    "omni_tts": ((*_HEARS, "image_input", "audio_output"), (CHAT, DOCUMENTS, *TRANSCRIPTIONS, SPEECH)),
}

_ENDPOINTS = {
    "chat": (CHAT, "Chat Completions"),
    "completion": ("/v1/completions", "Completions"),
    "image_generation": (IMAGES, "Image Generation"),
    "audio_transcription": (TRANSCRIPTIONS[0], "Audio Transcription"),
    "audio_speech": (SPEECH, "Audio Speech"),
    "embedding": (EMBEDDING, "Embeddings"),
    "classify": (CLASSIFY, "Classify"),
    "batch": ("/v1/batch", "Batch"),
    "response": ("/v1/responses", "Responses"),
    "rerank": ("/v1/rerank", "Rerank"),
    "moderation": ("/v1/moderations", "Moderations"),
    "document": (DOCUMENTS, "Documents"),
    "audio_translation": (TRANSCRIPTIONS[1], "Audio Translation"),
    "image_edit": ("/v1/images/edits", "Image Edits"),
    "image_variation": ("/v1/images/variations", "Image Variations"),
}


class Ways(Schema):
    input: bool = Field(description="Whether the model takes it")
    output: bool = Field(description="Whether the model gives it")
    label: str


class Modalities(Schema):
    text: Ways
    image: Ways
    audio: Ways


class SupportedEndpoint(Schema):
    path: str
    enabled: bool = Field(description="Whether the model serves it")
    label: str


class Endpoints(Schema):
    """The endpoints of the gateway, and whether the model serves them."""

    chat: SupportedEndpoint
    completion: SupportedEndpoint
    image_generation: SupportedEndpoint
    audio_transcription: SupportedEndpoint
    audio_speech: SupportedEndpoint
    embedding: SupportedEndpoint
    classify: SupportedEndpoint
    batch: SupportedEndpoint
    response: SupportedEndpoint
    rerank: SupportedEndpoint
    moderation: SupportedEndpoint
    document: SupportedEndpoint
    audio_translation: SupportedEndpoint
    image_edit: SupportedEndpoint
    image_variation: SupportedEndpoint


def of_keyword(keyword: str) -> tuple[list[str], list[str]]:
    """Return the modalities and endpoints of a kind of model, such as `mllm`; of an unknown one, those of `llm`."""
    plain = keyword.removesuffix("_classification")
    modalities, endpoints = _KEYWORDS.get(plain, _KEYWORDS["llm"])
    return list(modalities), [*endpoints, *([CLASSIFY] if plain != keyword else [])]


def endpoints_of(modalities: Iterable[str]) -> list[str]:
    """Return the endpoints that a model with these modalities serves."""
    has = set(modalities)
    rules = (
        ({"text_input"}, (CHAT,)),
        ({"image_output"}, (IMAGES,)),
        ({"audio_output"}, (SPEECH,)),
        ({"audio_input", "text_output"}, TRANSCRIPTIONS),
        ({"image_input", "text_output"}, (DOCUMENTS,)),
        ({"image_input", "image_output"}, ("/v1/images/edits", "/v1/images/variations")),
    )
    return [path for needed, paths in rules if needed <= has for path in paths] or [CHAT]


def describe_modality(found: Any) -> Any:
    """Return a model's modalities as browsers show them."""
    has = set(found)
    kinds = ("text", "image", "audio")
    return {
        kind: {"input": f"{kind}_input" in has, "output": f"{kind}_output" in has, "label": kind.capitalize()}
        for kind in kinds
    }


def describe_endpoints(found: Any) -> Any:
    """Return a model's endpoints as browsers show them."""
    return {
        name: {"path": path, "enabled": path in found, "label": label} for name, (path, label) in _ENDPOINTS.items()
    }
