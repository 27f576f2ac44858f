from typing import Annotated

from fastapi import APIRouter, Query

from budapp.commons.access import SignedIn
from budapp.commons.database import Read
from budapp.template_ops import services
from budapp.template_ops.schemas import TemplateList, TemplateQuery

router = APIRouter(tags=["templates"])


@router.get("/templates")
async def list_templates(_caller: SignedIn, session: Read, query: Annotated[TemplateQuery, Query()]) -> TemplateList:
    """List the deployment templates."""
    return TemplateList.of(await services.list_templates(session, query))
