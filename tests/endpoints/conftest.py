"""Endpoints put straight into the database, with their models and projects."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from budapp.commons.database import Database
from budapp.endpoint_ops.models import Endpoint
from budapp.project_ops.models import Project
from tests.cast import Cast, Person
from tests.models.conftest import MakeModel, make_model
from tests.projects.data import add, endpoint_row, join, project_row

__all__ = ["make_model"]

MakeEndpoint = Callable[..., Awaitable[Endpoint]]
MakeProject = Callable[..., Awaitable[Project]]


@pytest.fixture
def make_project(database: Database, cast: Cast) -> MakeProject:
    """Return what makes a project that the developer manages endpoints in, and the tester looks at."""

    async def make(name: str = "Atlas", owner: Person | None = None, *, members: bool = True) -> Project:
        owner = owner or cast.admin
        project = project_row(owner, name)
        await add(database, project)
        if members:
            await join(database, str(project.id), cast.developer, scopes=("endpoint:view", "endpoint:manage"))
            await join(database, str(project.id), cast.tester, scopes=("endpoint:view",))
        return project

    return make


@pytest.fixture
def make_endpoint(database: Database, cast: Cast, make_model: MakeModel, make_project: MakeProject) -> MakeEndpoint:
    """Return what deploys a new model under a name; without a project, in one of its own."""

    async def make(name: str, project_id: UUID | None = None, owner: Person | None = None, **facts: Any) -> Endpoint:
        owner = owner or cast.admin
        project_id = project_id or (await make_project(f"Of {name}", owner, members=owner == cast.admin)).id
        if "model_id" not in facts:
            facts["model_id"] = (await make_model(f"Model {name}", owner)).id
        endpoint = endpoint_row(str(project_id), owner, name=name, **{"id": uuid7(), **facts})
        await add(database, endpoint)
        return endpoint

    return make
