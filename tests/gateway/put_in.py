"""`python -m tests.gateway.put_in PROJECT`: puts a published deployment into the running stack, and prints its id."""

import asyncio
import sys
from uuid import UUID

from uuid_utils.compat import uuid7

from budapp.commons.config import load_settings
from budapp.commons.database import Database
from budapp.domains import TABLES
from budapp.endpoint_ops.models import Endpoint
from budapp.model_ops.models import Model
from budapp.project_ops.models import Project


async def main(project_id: UUID) -> None:
    assert TABLES, "foreign keys lead to tables of all domains"
    database = Database(load_settings())
    async with database.write() as session:
        project = await session.get_one(Project, project_id)
        owned = {"tenant_id": project.tenant_id, "created_by": project.created_by}
        paths = ["/v1/chat/completions"]
        model = Model(
            id=uuid7(),
            name=f"tour-{uuid7()}",
            icon="🧭",
            modality=["text_input"],
            uri=f"u/{uuid7()}",
            supported_endpoints=paths,
            source="local",
            provider_type="hugging_face",
            **owned,
        )
        endpoint = Endpoint(
            id=uuid7(),
            name=f"tour-{uuid7()}",
            project_id=project_id,
            model_id=model.id,
            url="http://127.0.0.1:8000",
            namespace="tour",
            status="running",
            supported_endpoints=paths,
            is_published=True,
            **owned,
        )
        session.add_all([model, endpoint])
    await database.dispose()
    sys.stdout.write(f"{endpoint.id}\n")


if __name__ == "__main__":
    asyncio.run(main(UUID(sys.argv[1])))
