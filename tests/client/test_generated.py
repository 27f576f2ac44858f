"""What generators make of docs/openapi.json."""

import inspect
import json
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from stack.python_env import Workshop
from stack.settings import DEV_STATE, cache_folder
from stack.typescript import api_types

import budapp_client.rest.api
from budapp_client.rest import models


@pytest.fixture(scope="module")
def operations(root: Path) -> dict[str, dict[str, Any]]:
    """All operations by their ids."""
    document = json.loads((root / "docs" / "openapi.json").read_text())
    return {found["operationId"]: found for path in document["paths"].values() for found in path.values()}


def test_every_operation_has_a_function(operations: dict[str, dict[str, Any]]) -> None:
    packages = pkgutil.walk_packages(budapp_client.rest.api.__path__, "budapp_client.rest.api.")
    found = {name.rpartition(".")[2]: name for _, name, is_package in packages if not is_package}
    assert sorted(found) == sorted(operations)
    for name in ("projects_list", "datasets_begin_upload", "connectors_create_gateway"):
        assert inspect.isfunction(import_module(found[name]).sync)


def test_every_model_can_be_imported_by_its_name() -> None:
    assert len(models.__all__) > 900
    for name in models.__all__[::25]:
        assert getattr(models, name) is not None
    with pytest.raises(AttributeError, match="'Nothing'"):
        _ = models.Nothing  # type: ignore[attr-defined]


def test_types_for_typescript_are_clean(operations: dict[str, dict[str, Any]]) -> None:
    types = api_types(Workshop(cache_folder(), DEV_STATE)).read_text()
    assert [name for name in operations if f"    {name}: {{" not in types] == []
