from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from budapp.commons.schemas import Answer, Schema
from budapp.guardrail_ops.policies import Long


class TrialRequest(Schema):
    """A text to look through."""

    text: Annotated[Long, Field(min_length=1)]


class Finding(Schema):
    """What a probe says of the text; `outcome` is `unchecked`, with a reason, where it could not be asked."""

    probe_id: UUID
    probe_name: str
    outcome: Literal["passed", "flagged", "unchecked"] = Field(
        description="`unchecked` where the probe could not be asked"
    )
    score: float | None = Field(
        default=None,
        description="How sure the probe is, from 0 to 1; null where it was not asked, or only says yes or no",
    )
    severity_threshold: float
    rules: list[str] = Field(default=[], description="Names of the rules that flag the text")
    reason: str | None = None


class TrialAnswer(Answer):
    object: Literal["guardrail.profile.test"] = "guardrail.profile.test"
    message: str = "Text looked through"
    flagged: bool
    complete: bool = Field(description="Whether all probes could be asked")
    probes: list[Finding]
