"""Names that people type in place of ids."""

from collections.abc import Iterable
from uuid import UUID

from budapp_client.cli.failures import CommandFailed
from budapp_client.connection import Budapp
from budapp_client.paging import each
from budapp_client.rest.api.models import models_list
from budapp_client.rest.api.projects import projects_list

_NOT_FOUND = 4


def project_id(api: Budapp, text: str) -> UUID:
    """Return the id of a project of which the id or the whole name is given."""
    if (given := _as_id(text)) is not None:
        return given
    found = each(projects_list.sync, lambda page: page.projects, client=api, search=True, name=text)
    return _only("project", "projects", text, ((one.project.id, one.project.name) for one in found))


def model_id(api: Budapp, text: str) -> UUID:
    """Return the id of a model in the repository of which the id or the whole name is given."""
    if (given := _as_id(text)) is not None:
        return given
    found = each(models_list.sync, lambda page: page.models, client=api, table_source="model", search=True, name=text)
    return _only("model", "models", text, ((one.model.id, one.model.name) for one in found))


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _only(kind: str, command: str, text: str, named: Iterable[tuple[UUID, str]]) -> UUID:
    ids = [own_id for own_id, name in named if name == text]
    if not ids:
        raise CommandFailed(f"There is no {kind} called {text}", f"budctl {command} list", _NOT_FOUND)
    if len(ids) > 1:
        raise CommandFailed(f"There are {len(ids)} {command} called {text}", f"give its id: budctl {command} list")
    return ids[0]
