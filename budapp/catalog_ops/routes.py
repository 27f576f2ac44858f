from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.catalog_ops import services
from budapp.catalog_ops.schemas import CatalogList, CatalogModel, CatalogQuery
from budapp.commons.access import Caller, SignedIn, SignedInAccess
from budapp.commons.database import Read
from budapp.model_ops.license_files import LicenseFilesDep

router = APIRouter(prefix="/models/catalog", tags=["catalog"])

Reader = Annotated[Caller, Depends(SignedInAccess(row=services.find_published))]


@router.get("")
async def list_catalog(caller: SignedIn, session: Read, query: Annotated[CatalogQuery, Query()]) -> CatalogList:
    """List the published models with their prices."""
    return CatalogList.of(await services.list_published(session, caller, query))


@router.get("/{endpoint_id}")
async def get_catalog_model(endpoint_id: UUID, caller: Reader, session: Read, files: LicenseFilesDep) -> CatalogModel:
    """Return a published model as clients see it."""
    return await services.get_published(session, caller, files, endpoint_id)
