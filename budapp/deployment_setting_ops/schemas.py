from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field

from budapp.commons.schemas import Answer, Schema
from budapp.endpoint_ops.models import Endpoint

MAX_FALLBACKS = 5

Rate = Annotated[int, Field(gt=0, le=1_000_000_000)]


def _each_once(ids: list[UUID]) -> list[UUID]:
    return list(dict.fromkeys(ids))


Fallbacks = Annotated[list[UUID], Field(max_length=MAX_FALLBACKS), AfterValidator(_each_once)]


class RateLimits(Schema):
    """How many requests an endpoint takes; a limit that is null does not hold."""

    algorithm: Literal["token_bucket", "fixed_window", "sliding_window"] = Field(
        default="token_bucket", description="How requests are counted"
    )
    requests_per_second: Rate | None = None
    requests_per_minute: Rate | None = None
    requests_per_hour: Rate | None = None
    burst_size: Rate | None = Field(
        default=None, description="How many requests may come at once, beyond what the rate lets through; null for none"
    )
    enabled: bool = True


class RetryConfig(Schema):
    """How often a request that fails is tried again, and how long is waited in between at most."""

    num_retries: int = Field(default=0, ge=0, le=10)
    max_delay_s: float = Field(
        default=1.0, gt=0, le=60, description="How many seconds are waited at most before a request is tried again"
    )


class FallbackConfig(Schema):
    """The endpoints that a request goes to, in this order, where this one fails."""

    fallback_models: Fallbacks = Field(default=[], description="The deployments that are tried in this order, by id")


class DeploymentSettings(Schema):
    """How the gateway treats requests to an endpoint; what is null was never set."""

    rate_limits: RateLimits | None = None
    retry_config: RetryConfig | None = None
    fallback_config: FallbackConfig | None = None

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """Return those that the endpoint has."""
        return cls.model_validate(endpoint.deployment_settings or {})

    @property
    def fallbacks(self) -> list[UUID]:
        """The endpoints that requests fall back to."""
        return self.fallback_config.fallback_models if self.fallback_config is not None else []

    def merged_with(self, update: Self) -> Self:
        """Return the settings with what the update says; the rest stays, inside a section too."""
        given = update.model_dump(exclude_unset=True)
        held: dict[str, Any] = self.model_dump()
        for section, fields in given.items():
            if fields is not None:
                held[section] = {**(held[section] or {}), **fields}
        return type(self).model_validate(held)


class DeploymentSettingsUpdate(DeploymentSettings):
    """What is to change. What is left out stays, inside a section too; a section that is null stays as it is."""


class DeploymentSettingsRetrieved(Answer):
    object: Literal["endpoint.deployment_settings"] = "endpoint.deployment_settings"
    message: str = "Deployment settings found"
    endpoint_id: UUID
    deployment_settings: DeploymentSettings

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """Return the answer for the endpoint."""
        return cls(endpoint_id=endpoint.id, deployment_settings=DeploymentSettings.of(endpoint))


class DeploymentSettingsUpdated(DeploymentSettingsRetrieved):
    message: str = "Deployment settings updated"


class DeploymentSettingsRolledBack(DeploymentSettingsRetrieved):
    object: Literal["endpoint.rollback"] = "endpoint.rollback"  # type: ignore[assignment]
    message: str = "The settings are those from before the last change"
