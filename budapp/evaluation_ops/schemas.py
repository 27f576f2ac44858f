from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator

from budapp.commons.crud import Page
from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, OptionalText, PageAnswer, Schema
from budapp.commons.storable import cleaned

MOST_IDS = 100


def split(value: Any) -> Any:
    """Take a text with commas for the texts between them; a list of such texts for all of theirs."""
    if isinstance(value, list):
        return [part for text in value for part in split(text)]
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [] if value is None else value


def readable(value: str) -> str:
    """Return the text, or raise `ValueError` where it can't be stored."""
    if cleaned(value)[1] is not None:
        raise ValueError("holds a character that can't be stored")
    return value


_Short = Annotated[str, StringConstraints(max_length=100), AfterValidator(readable)]
SplitTexts = Annotated[list[_Short], BeforeValidator(split), Field(max_length=MOST_IDS)]
SplitIds = Annotated[list[UUID], BeforeValidator(split), Field(max_length=MOST_IDS)]
"""Ids, parted by commas in one parameter, or in several."""


class TraitQuery(Paging):
    """`name` is looked for in names; `unique_id` is the trait's id."""

    name: OptionalText = None
    unique_id: UUID | None = None


class DatasetQuery(Paging):
    """`name` is looked for in names; of several modalities, languages, domains or traits (`a,b`) one is enough."""

    name: OptionalText = Field(default=None, max_length=100)
    modalities: SplitTexts = []
    language: SplitTexts = []
    domains: SplitTexts = []
    trait_ids: SplitIds = []
    has_gen_eval_type: bool = True


class TraitView(Schema):
    """`exps_ids` are the caller's experiments that have to do with the trait."""

    id: UUID
    name: str
    description: str | None
    icon: str | None
    category: str | None
    exps_ids: list[UUID] = Field(default=[], description="The caller's experiments that have to do with the trait")


class TraitList(PageAnswer):
    object: Literal["trait.list"] = "trait.list"
    message: str = "Traits found"
    traits: list[TraitView]

    @classmethod
    def of_page(cls, page: Page, experiments: dict[UUID, list[UUID]]) -> Self:
        traits = [
            TraitView.model_validate({**row._mapping, "exps_ids": experiments.get(row.id, [])}) for row in page.rows
        ]
        return cls(traits=traits, **page.envelope())


class Creator(Schema):
    name: str | None = None
    avatar: str | None = None


class MetaLinks(Schema):
    """Where there is more about a dataset; manifests may name more places."""

    model_config = ConfigDict(extra="allow")

    github: str | None = None
    paper: str | None = None
    papers: list[str] | None = None
    website: str | None = None
    website_url: str | None = None
    author: str | None = None
    author_url: str | None = None
    create_date: str | None = None
    creator: Creator | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _odd_is_none(cls, value: Any, info: Any) -> Any:
        """Leave out what has another shape: the links are somebody else's."""
        expected: dict[str, type] = {"papers": list, "creator": dict}
        wanted = expected.get(info.field_name, str)
        if wanted is list and isinstance(value, list):
            return [str(one) for one in value]
        return value if isinstance(value, wanted) else None


class QuestionsAndAnswers(Schema):
    """Some questions, as the manifest shows them."""

    model_config = ConfigDict(extra="allow")

    examples: list[Any] | None = None
    samples: list[Any] | None = Field(default=None, description="Some questions, under another name")


class AdvantagesAndDisadvantages(Schema):
    model_config = ConfigDict(extra="allow")

    advantages: list[Any] | None = None
    disadvantages: list[Any] | None = None


class AdditionalInfo(Schema):
    """Whatever else the manifest says; never null, as browsers rely on."""

    model_config = ConfigDict(extra="allow")

    age_distribution: Any = None


class TraitOfDataset(Schema):
    id: UUID
    name: str
    description: str | None = None
    icon: str | None = None


class EvalDatasetView(Schema):
    """A benchmark. `sample_count` is the number of its questions in the current version."""

    id: UUID
    name: str
    description: str | None
    version: str | None
    sample_count: int | None = Field(
        description="How many questions the current version has; null where that is not known"
    )
    meta_links: MetaLinks
    config_validation_schema: dict[str, Any] | None
    estimated_input_tokens: int | None = Field(description="Input tokens of a whole run, estimated")
    estimated_output_tokens: int | None = Field(description="Output tokens of a whole run, estimated")
    language: list[str]
    domains: list[str]
    concepts: list[str]
    humans_vs_llm_qualifications: list[str] = Field(description="How people and models compare, in words")
    task_type: list[str]
    modalities: list[str]
    sample_questions_answers: QuestionsAndAnswers
    advantages_disadvantages: AdvantagesAndDisadvantages
    eval_types: dict[str, Any] = Field(description="Way of asking → the engine's name of the dataset")
    why_run_this_eval: list[str]
    what_to_expect: list[str]
    additional_info: AdditionalInfo
    metrics: list[str] = Field(description="What is scored, by name")
    evaluator: str | None
    is_proportion: bool
    traits: list[TraitOfDataset]
    tags: list[str] = []

    @classmethod
    def of_row(cls, row: Any) -> Self:
        """Return it of a row of `dataset_columns`: its tags are domains and kinds of tasks."""
        found = dict(row._mapping)
        return cls.model_validate({**found, "tags": list(dict.fromkeys([*found["domains"], *found["task_type"]]))})


class EvalDatasetList(PageAnswer):
    object: Literal["dataset.list"] = "dataset.list"
    message: str = "Datasets found"
    datasets: list[EvalDatasetView]

    @classmethod
    def of(cls, page: Page) -> Self:
        return cls(datasets=[EvalDatasetView.of_row(row) for row in page.rows], **page.envelope())


class DatasetDetail(EvalDatasetView):
    """`questions` are those of `sample_questions_answers`."""

    questions: list[Any] = []


class EvalDatasetRetrieved(Answer):
    """`datasets` holds the dataset, too: pages that list them read one likewise."""

    object: Literal["dataset.get"] = "dataset.get"
    message: str = "Dataset found"
    dataset: DatasetDetail
    datasets: list[EvalDatasetView]

    @classmethod
    def of(cls, row: Any) -> Self:
        view = EvalDatasetView.of_row(row)
        examples = view.sample_questions_answers.examples or view.sample_questions_answers.samples or []
        return cls(dataset=DatasetDetail(**dict(view), questions=examples), datasets=[view])


class SyncQuery(Schema):
    """With `force_sync`, the tables are gone through even where the manifest has not changed."""

    force_sync: bool = False


class DatasetsSynced(Answer):
    object: Literal["evaluations.sync"] = "evaluations.sync"
    message: str = "Datasets are up to date"
    version: str = Field(description="The version of the manifest")
    unchanged: bool = Field(description="Whether the manifest was the one from before, so that nothing was looked at")
    traits_added: int = Field(description="How many traits are new")
    traits_changed: int = Field(description="How many traits have changed")
    traits_removed: int = Field(description="How many traits are no more")
    datasets_added: int = Field(description="How many datasets are new")
    datasets_changed: int = Field(description="How many datasets have changed")
    datasets_removed: int = Field(description="How many datasets are no more")
