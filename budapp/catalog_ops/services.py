"""The catalog that clients choose from: models that are deployed and published, with their prices."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row

from budapp.catalog_ops.crud import CatalogCrud
from budapp.catalog_ops.schemas import CatalogModel, CatalogQuery
from budapp.commons.access import Caller
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession
from budapp.model_ops import services as models
from budapp.model_ops.license_files import LicenseFiles


async def list_published(session: ReadSession, caller: Caller, query: CatalogQuery) -> Page:
    """Return a page of the models that the tenant has published, the newest first."""
    return await CatalogCrud(session, caller).page_of_published(query)


async def find_published(session: ReadSession, caller: Caller, endpoint_id: UUID) -> Row[Any]:
    """Return the columns of `CatalogCrud.published`, or raise `NotFound`."""
    return await CatalogCrud(session, caller).published(endpoint_id)


async def get_published(session: ReadSession, caller: Caller, files: LicenseFiles, endpoint_id: UUID) -> CatalogModel:
    """Return all that clients may know of a published model.

    Raises:
        NotFound: no such deployment, or it is not published.
    """
    row = await find_published(session, caller, endpoint_id)
    return CatalogModel.of(await models.get_model(session, caller, files, row.model_id), row)
