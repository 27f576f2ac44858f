"""What a model that judges texts is told: the policy of a custom probe, and what a classifier's labels mean."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from budapp.commons.schemas import Schema
from budapp.commons.storable import cleaned


def readable(value: str) -> str:
    """Return the text, or raise `ValueError` where it can't be stored."""
    if cleaned(value)[1] is not None:
        raise ValueError("holds a character that can't be stored")
    return value


Short = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255), AfterValidator(readable)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000), AfterValidator(readable)]
Long = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000), AfterValidator(readable)]

HANDLER = "gpt_safeguard"


class DefinitionItem(Schema):
    term: Short
    definition: Long


class PolicyExample(Schema):
    input: Long
    rationale: Long = ""
    confidence: Line = "high"


class ContentItem(Schema):
    name: Line = ""
    description: Long = ""
    example: Long = ""


Items = Annotated[list[ContentItem | Long], Field(max_length=100)]
Examples = Annotated[list[PolicyExample | Long], Field(max_length=100)]


class SafeContent(Schema):
    category: Line = Field(default="safe", description="What is answered where the text is safe")
    description: Long = ""
    items: Items = []
    examples: Examples = []


class Violation(Schema):
    """Something that a text must not hold; `escalate` says what of it is worse."""

    category: Short = Field(description="What is answered where the text is this")
    severity: Line | None = None
    description: Long = ""
    escalate: Long | bool | None = None
    items: Items = []
    examples: Examples = []


class AmbiguityRule(Schema):
    condition: Long
    action: Long


class EvaluationSettings(Schema):
    depiction: Long = ""
    request_or_instruction: Long = ""
    offensive_language: Long = ""
    sources_to_consider: Annotated[list[Long], Field(max_length=100)] = []
    default_action: Long = ""


class GuardrailPolicy(Schema):
    """What a model is to judge by: what it does, words, what is safe, and what is not."""

    task: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000), AfterValidator(readable)
    ]
    definitions: list[DefinitionItem] = Field(default=[], max_length=100)
    interpretation: list[Long] | Long | None = None
    evaluation: EvaluationSettings | Long | None = None
    safe_content: SafeContent
    violations: list[Violation] = Field(min_length=1, max_length=100)
    ambiguity: list[AmbiguityRule] | None = Field(default=None, max_length=100)


class PolicyConfig(Schema):
    """A model that judges by a policy."""

    handler: Literal["gpt_safeguard"] = "gpt_safeguard"
    policy: GuardrailPolicy


class HeadMapping(Schema):
    head_name: Line
    target_labels: Annotated[list[Short], Field(min_length=1, max_length=1000)]


class ClassifierConfig(Schema):
    """A model that gives labels: those that count as a finding."""

    head_mappings: list[HeadMapping] = Field(min_length=1, max_length=100)
    post_processing: list[dict[str, Any]] | None = Field(default=None, max_length=100)
