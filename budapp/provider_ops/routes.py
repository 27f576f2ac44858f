from typing import Annotated

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, Requires, SignedIn
from budapp.commons.database import Read
from budapp.commons.paging import PagingQuery
from budapp.commons.scopes import Scope
from budapp.provider_ops import services
from budapp.provider_ops.schemas import ProviderList, ProviderQuery, RecommendedTagList

router = APIRouter(prefix="/models", tags=["models"])

Viewer = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW))]


@router.get("/providers")
async def list_providers(_caller: SignedIn, session: Read, query: Annotated[ProviderQuery, Query()]) -> ProviderList:
    """List the providers of models."""
    return ProviderList.of(await services.list_providers(session, query))


@router.get("/cloud-models/recommended-tags")
async def list_recommended_tags(_caller: Viewer, session: Read, query: PagingQuery) -> RecommendedTagList:
    """List the tags of cloud models, most used first."""
    return RecommendedTagList.of(await services.list_recommended_tags(session, query))
