"""How models do in public benchmarks; budmodel keeps the scores."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, release
from budapp.commons.errors import NotFound
from budapp.commons.schemas import Answer, Schema
from budapp.integrations import budmodel
from budapp.integrations.budmodel import LeaderboardRow as Row
from budapp.integrations.dapr import DaprClient
from budapp.model_ops.crud import ModelCrud
from budapp.provider_ops.services import find_cloud_model

MAX_ROWS = 50

_MAX_COMPARED = 200

# field -> kind, name as people know it
BENCHMARKS = {
    "lc_win_rate": ("Instruction following", "AlpacaEval 2 (LC win rate)"),
    "win_rate": ("Instruction following", "AlpacaEval 2 (win rate)"),
    "bcfl": ("Tool use", "BFCL"),
    "live_code_bench": ("Coding", "LiveCodeBench"),
    "humaneval": ("Coding", "HumanEval"),
    "mmlu": ("Knowledge", "MMLU"),
    "mmlu_pro": ("Knowledge", "MMLU-Pro"),
    "gpqa": ("Reasoning", "GPQA"),
    "drop": ("Reasoning", "DROP"),
    "lmsys_areana": ("Preference", "Chatbot Arena"),
    "classification": ("Embedding", "MTEB classification"),
    "clustering": ("Embedding", "MTEB clustering"),
    "pair_classification": ("Embedding", "MTEB pair classification"),
    "reranking": ("Embedding", "MTEB reranking"),
    "retrieval": ("Embedding", "MTEB retrieval"),
    "semantic": ("Embedding", "MTEB semantic similarity"),
    "summarization": ("Embedding", "MTEB summarization"),
    "ugi_score": ("Uncensored knowledge", "UGI"),
    "w_10_score": ("Uncensored knowledge", "W/10"),
    "unruly_score": ("Uncensored knowledge", "Unruly"),
    "internet_score": ("Uncensored knowledge", "Internet"),
    "polcontro_score": ("Uncensored knowledge", "Political controversy"),
    "mmbench": ("Vision", "MMBench"),
    "mmstar": ("Vision", "MMStar"),
    "mmmu": ("Vision", "MMMU"),
    "math_vista": ("Vision", "MathVista"),
    "ocr_bench": ("Vision", "OCRBench"),
    "ai2d": ("Vision", "AI2D"),
    "hallucination_bench": ("Vision", "HallusionBench"),
    "mmvet": ("Vision", "MM-Vet"),
}


class LeaderboardQuery(Schema):
    """`k` is how many rows are wanted, the model's own among them."""

    table_source: Literal["model", "cloud_model"] = "model"
    k: int = Field(default=10, ge=0, le=MAX_ROWS)


class Score(Schema):
    type: str | None = Field(description="What the benchmark measures; null where that is not known")
    label: str = Field(description="The name of the benchmark, for a person")
    value: float | None = Field(description="The score, in the benchmark's own unit; null where the model has none")


class RankedModel(Schema):
    uri: str
    model_size: int | None
    is_selected: bool = Field(description="Whether it is the model that was asked for")


class LeaderboardRow(Schema):
    model: RankedModel
    benchmarks: dict[str, Score] = Field(description="Field of the benchmark → the score")


class Leaderboard(Answer):
    object: Literal["leaderboard.table"] = "leaderboard.table"
    message: str = "Leaderboard found"
    leaderboards: list[LeaderboardRow]


class ComparisonRequest(Schema):
    """Which benchmarks are wanted, and of how many models at most."""

    benchmarks: list[Annotated[str, StringConstraints(min_length=1, max_length=100)]] = Field(
        min_length=1, max_length=len(BENCHMARKS), description="Fields of the benchmarks, such as `mmlu_pro`"
    )
    k: int = Field(default=5, ge=1, le=MAX_ROWS, description="How many models at most")


class NamedScore(Score):
    field: str = Field(description="The field of the benchmark, such as `mmlu_pro`")


class ComparedModel(Schema):
    name: str
    provider_type: str
    benchmarks: list[NamedScore]


class ModelComparison(Answer):
    object: Literal["leaderboard.top"] = "leaderboard.top"
    message: str = "Leaderboards found"
    leaderboards: list[ComparedModel]


async def leaderboard(
    session: ReadSession, caller: Caller, dapr: DaprClient, model_id: UUID, query: LeaderboardQuery
) -> Leaderboard:
    """Return the model's row of the leaderboard, and those that come next to it.

    Raises:
        NotFound: no such model, or another tenant's.
        PeerFailed, Unavailable: budmodel.
    """
    uri = await _uri(session, caller, model_id, query.table_source)
    await release(session)
    rows = await budmodel.leaderboard(dapr, model_uri=uri, k=query.k)
    return Leaderboard(leaderboards=[_ranked(row, uri) for row in rows[: query.k]])


async def compare(
    session: ReadSession, caller: Caller, dapr: DaprClient, request: ComparisonRequest
) -> ModelComparison:
    """Return how the tenant's models do in some benchmarks.

    Raises:
        PeerFailed, Unavailable: budmodel.
    """
    found = await ModelCrud(session, caller).newest(_MAX_COMPARED)
    models = {row.uri: (row.name, row.provider_type) for row in found}
    await release(session)
    if not models:
        return ModelComparison(leaderboards=[])
    fields = list(dict.fromkeys(request.benchmarks))
    rows = await budmodel.compare_models(dapr, model_uris=list(models), benchmark_fields=fields, k=request.k)
    known = [row for row in rows if row.uri in models]
    return ModelComparison(leaderboards=[_compared(row, *models[row.uri], fields) for row in known[: request.k]])


async def ranked_model(session: ReadSession, caller: Caller, model_id: UUID) -> str:
    """Return the address of the tenant's model, or of the one that a cloud offers, or raise `NotFound`."""
    try:
        return await _uri(session, caller, model_id, "model")
    except NotFound:
        return await _uri(session, caller, model_id, "cloud_model")


async def _uri(session: ReadSession, caller: Caller, model_id: UUID, table_source: str) -> str:
    if table_source == "model":
        return (await ModelCrud(session, caller).get(model_id)).uri
    offer = await find_cloud_model(session, model_id)
    if offer is None:
        raise NotFound("Cloud model not found")
    return offer.uri


def _score(row: Row, field: str) -> Score:
    kind, label = BENCHMARKS.get(field, (None, field))
    value = (row.model_extra or {}).get(field)
    return Score(type=kind, label=label, value=value if isinstance(value, int | float) else None)


def _ranked(row: Row, uri: str) -> LeaderboardRow:
    scores = {field: _score(row, field) for field in BENCHMARKS if field in (row.model_extra or {})}
    model = RankedModel(uri=row.uri, model_size=row.num_params, is_selected=row.uri == uri)
    return LeaderboardRow(model=model, benchmarks=scores)


def _compared(row: Row, name: str, provider_type: str, fields: list[str]) -> ComparedModel:
    scores = [NamedScore(field=field, **_score(row, field).model_dump()) for field in fields]
    return ComparedModel(name=name, provider_type=provider_type, benchmarks=scores)
