from itertools import chain
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, Color, Name, OptionalText, PageAnswer, Schema

MAX_TARGETS, MAX_FALLBACKS = 50, 10

Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]


class RouterTag(Schema):
    name: Name
    color: Color


STRATEGIES = ("fallback", "priority", "ordered")
"""Names of the one strategy that the gateway has: the endpoints are tried in their order."""


class RoutingStrategy(Schema):
    """How a router chooses."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")

    name: Name


class RouterTarget(Schema):
    """An endpoint that takes requests, and those that take them when it fails, in this order.

    The gateway has no form for `weight` (a share of the requests), `tpm` and `rpm` (tokens and requests per minute) and
    `cool_down_period` (seconds): they are null or 0, weights may also be all the same.
    """

    endpoint_id: UUID
    fallback_endpoint_ids: list[UUID] | None = Field(
        default=None,
        max_length=MAX_FALLBACKS,
        description="The deployments that are tried in this order where it fails",
    )
    tpm: Amount | None = Field(
        default=None, description="Tokens per minute; the gateway has no form for it, so it is null or 0"
    )
    rpm: Amount | None = Field(
        default=None, description="Requests per minute; the gateway has no form for it, so it is null or 0"
    )
    weight: Amount | None = Field(
        default=None, description="Share of the requests; the gateway has no form for it, so it is the same for all"
    )
    cool_down_period: int | None = Field(
        default=None, ge=0, le=86_400, description="Seconds; the gateway has no form for it, so it is null or 0"
    )

    @model_validator(mode="after")
    def _falls_back_to_others(self) -> Self:
        fallbacks = self.fallback_endpoint_ids or []
        if self.endpoint_id in fallbacks:
            raise ValueError("fallback_endpoint_ids must not contain endpoint_id")
        if len(set(fallbacks)) < len(fallbacks):
            raise ValueError("fallback_endpoint_ids names an endpoint twice")
        return self


class RouterInput(Schema):
    """A router as it is to be; endpoints that are not named are taken out of it."""

    project_id: UUID
    name: Name
    description: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]
    tags: list[RouterTag] | None = Field(default=None, max_length=50)
    routing_strategy: list[RoutingStrategy] | None = Field(default=None, max_length=10)
    endpoints: list[RouterTarget] = Field(min_length=1, max_length=MAX_TARGETS)

    @field_validator("endpoints")
    @classmethod
    def _names_each_once(cls, targets: list[RouterTarget]) -> list[RouterTarget]:
        if len({target.endpoint_id for target in targets}) < len(targets):
            raise ValueError("an endpoint is named twice")
        return targets

    @field_validator("routing_strategy")
    @classmethod
    def _is_one_of_the_gateways(cls, strategies: list[RoutingStrategy] | None) -> list[RoutingStrategy] | None:
        for strategy in strategies or ():
            if strategy.name.lower() not in STRATEGIES:
                raise ValueError(f"the gateway tries a router's endpoints in their order: {', '.join(STRATEGIES)}")
        return strategies

    @field_validator("endpoints")
    @classmethod
    def _is_expressible(cls, targets: list[RouterTarget]) -> list[RouterTarget]:
        if len({target.weight or 0 for target in targets}) > 1:
            raise ValueError("weight: the gateway can't share requests out; order the endpoints by preference")
        if any(target.tpm or target.rpm for target in targets):
            raise ValueError("tpm and rpm: set rate limits in the deployments' settings")
        if any(target.cool_down_period for target in targets):
            raise ValueError("cool_down_period: the gateway asks an endpoint again at once")
        return targets

    def endpoint_ids(self) -> list[UUID]:
        """Return all endpoints that are named, as targets or as fallbacks, each once."""
        named = ((target.endpoint_id, *(target.fallback_endpoint_ids or ())) for target in self.endpoints)
        return list(dict.fromkeys(chain.from_iterable(named)))


class RouterQuery(Paging):
    """With `search`, `name` is looked for in names; without, it must be the router's name."""

    project_id: UUID
    name: OptionalText = None


class RouterView(Schema):
    id: UUID
    project_id: UUID
    name: str
    description: str
    tags: list[RouterTag] | None
    routing_strategy: list[RoutingStrategy] | None
    endpoints: list[RouterTarget]

    @classmethod
    def of(cls, row: Any, targets: list[Any]) -> Self:
        """Return it of a router and its targets."""
        names = ("id", "project_id", "name", "description", "tags", "routing_strategy")
        return cls.model_validate({**{name: getattr(row, name) for name in names}, "endpoints": targets})


class RouterCreated(Answer):
    object: Literal["router.create"] = "router.create"
    message: str = "Router created"
    result: RouterView


class RouterUpdated(Answer):
    object: Literal["router.update"] = "router.update"
    message: str = "Router updated"
    result: RouterView


class RouterDeleted(Answer):
    object: Literal["router.delete"] = "router.delete"
    message: str = "Router deleted"


class RouterList(PageAnswer):
    object: Literal["router.list"] = "router.list"
    message: str = "Routers found"
    routers: list[RouterView]
