"""budmodel: what models are, their files, scans, licenses, and how they do in public benchmarks."""

from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from budapp.commons.errors import PeerFailed
from budapp.integrations.dapr import DaprClient, Peer
from budapp.integrations.peers import Json, PeerCall, Reply

_LEADERBOARD_SECONDS = 10

Count = Annotated[int, Field(ge=0, lt=1 << 63)]
SmallCount = Annotated[int, Field(ge=0, lt=1 << 31)]


class Faq(Reply):
    question: str
    reason: list[str] | None = None
    impact: str | None = None


class LicenseInfo(Reply):
    name: str | None = None
    url: str | None = None
    type: str | None = None
    description: str | None = None
    suitability: str | None = None
    faqs: list[Faq] | None = None


class PaperInfo(Reply):
    title: str | None = None
    authors: list[str] | None = None
    url: str | None = None


class ModelTree(Reply):
    base_model: list[str] | None = None
    is_finetune: bool = False
    is_adapter: bool = False
    is_quantization: bool = False
    is_merge: bool = False


class RopeScaling(BaseModel):
    factor: float | None = Field(
        default=None, description="By how much the context is longer than what the model was trained with"
    )
    rope_type: str | None = None


class VisionConfig(BaseModel):
    hidden_size: int | None = None
    intermediate_size: int | None = None
    num_layers: int | None = None
    torch_dtype: str | None = None


class TextConfig(VisionConfig):
    context_length: int | None = None
    num_attention_heads: int | None = None
    num_key_value_heads: int | None = None
    rope_scaling: RopeScaling | None = None
    vocab_size: int | None = Field(default=None, description="How many tokens the model knows")


class AudioConfig(BaseModel):
    num_layers: int | None = None
    hidden_size: int | None = None
    num_attention_heads: int | None = None
    num_mel_bins: int | None = None
    sample_rate: int | None = Field(default=None, description="Samples of sound per second, in Hz")
    max_source_positions: int | None = Field(
        default=None, description="How many frames of sound the model hears at once"
    )
    max_target_positions: int | None = Field(
        default=None, description="How many tokens the model writes of them at most"
    )
    torch_dtype: str | None = None


class _Whole(BaseModel):
    """A configuration with what is not named here, too: people may want to see it one day."""

    model_config = ConfigDict(extra="allow")


class WholeTextConfig(TextConfig, _Whole):
    pass


class WholeVisionConfig(VisionConfig, _Whole):
    pass


class WholeAudioConfig(AudioConfig, _Whole):
    pass


class Architecture(Reply):
    type: str | None = None
    family: str | None = None
    num_params: Count | None = None
    model_weights_size: Count | None = None
    kv_cache_size: Count | None = None
    text_config: WholeTextConfig | None = None
    vision_config: WholeVisionConfig | None = None
    audio_config: WholeAudioConfig | None = None


class ModelInfo(Reply):
    """What budmodel knows of a model."""

    author: str | None = None
    description: str | None = None
    uri: str | None = None
    modality: str = "llm"
    tags: list[str] | None = None
    tasks: list[str] | None = None
    papers: list[PaperInfo] | None = None
    github_url: str | None = None
    provider_url: str | None = None
    website_url: str | None = None
    license: LicenseInfo | None = None
    model_tree: ModelTree | None = None
    languages: list[str] | None = None
    use_cases: list[str] | None = None
    strengths: list[str] | None = None
    limitations: list[str] | None = None
    architecture: Architecture | None = None


class CloudExtraction(Reply):
    """What budmodel answers about a cloud's model."""

    model_info: ModelInfo


class Extraction(CloudExtraction):
    """The result of fetching a model."""

    local_path: str = Field(min_length=1)


class ScanIssue(Reply):
    title: str | None = None
    severity: str
    description: str | None = None
    source: str | None = None


class ScanFindings(Reply):
    total_issues: SmallCount
    total_scanned: SmallCount
    total_skipped_files: SmallCount
    scanned_files: list[str]
    total_issues_by_severity: dict[str, SmallCount]
    model_issues: list[ScanIssue]


class ScanReport(Reply):
    scan_result: ScanFindings


class LicenseDetails(Reply):
    name: str | None = None
    type: str | None = None
    type_description: str | None = None
    type_suitability: str | None = None
    faqs: list[Faq] | None = None


class LicenseReport(Reply):
    license_details: LicenseDetails


class LeaderboardRow(Reply):
    """A model as budmodel ranks it; its other members are scores, by benchmark."""

    model_config = ConfigDict(extra="allow")

    uri: str
    num_params: Count | None = None


class _Leaderboard(Reply):
    leaderboards: list[LeaderboardRow]


def extract_model(*, name: str, uri: str, provider_type: str) -> PeerCall:
    """Return the call that fetches the files of a model; its result is an `Extraction`."""
    body = {"model_name": name, "model_uri": uri, "provider_type": provider_type}
    return PeerCall(Peer.BUDMODEL, "POST", "model-info/extract", body)


def extract_cloud_model(uri: str) -> PeerCall:
    """Return the call that asks what is known of a cloud's model; it is answered at once."""
    return PeerCall(Peer.BUDMODEL, "POST", "model-info/cloud-model/extract", {"model_uri": uri})


def scan_model(path: str | None) -> PeerCall:
    """Return the call that scans the files there; its result is a `ScanReport`."""
    return PeerCall(Peer.BUDMODEL, "POST", "model-info/scan", {"model_path": path})


def read_license(source: str) -> PeerCall:
    """Return the call that reads a license, from an address or an object in the store; its result: `LicenseReport`."""
    return PeerCall(Peer.BUDMODEL, "POST", "model-info/license-faq", {"license_source": source})


def delete_files(path: str) -> PeerCall:
    """Return the call that deletes a model's files."""
    return PeerCall(Peer.BUDMODEL, "DELETE", f"model-info/local-models?path={quote(path, safe='')}")


async def leaderboard(dapr: DaprClient, *, model_uri: str, k: int) -> list[LeaderboardRow]:
    """Return the `k` rows of the leaderboard around the model.

    Raises:
        PeerFailed: budmodel refused, failed, or its answer makes no sense.
        Unavailable: it can't be reached within 10 seconds.
    """
    return await _rows(dapr, "leaderboard/model-params", {"model_uri": model_uri, "k": k})


async def compare_models(
    dapr: DaprClient, *, model_uris: list[str], benchmark_fields: list[str], k: int
) -> list[LeaderboardRow]:
    """Return how the models do in the benchmarks, `k` of them at most; raises what `leaderboard` does."""
    query = {"model_uris": model_uris, "benchmark_fields": benchmark_fields, "k": k}
    return await _rows(dapr, "leaderboard/models/compare", query)


async def _rows(dapr: DaprClient, path: str, query: Json) -> list[LeaderboardRow]:
    answer: Any = await dapr.invoke(Peer.BUDMODEL, "GET", path, params=query, timeout=_LEADERBOARD_SECONDS)
    try:
        return _Leaderboard.model_validate(answer).leaderboards
    except ValidationError as error:
        raise PeerFailed from error
