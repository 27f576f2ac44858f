"""What keeps the structure: the contracts catch what breaks them, and a clash keeps the service from starting."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from fastapi import APIRouter

from budapp.commons.access import public
from budapp.commons.config import Settings
from budapp.commons.database import Base
from budapp.commons.domain import Component, Components, Domain
from budapp.commons.hooks import Hook, Hooks
from budapp.domains import DOMAINS, NAMES
from budapp.main import create_app

Greet = Callable[[str], Awaitable[None]]


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """A copy of the package, to plant violations in."""
    shutil.copytree(root / "budapp", tmp_path / "budapp", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


CHECK = """
import sys
from pathlib import Path
from tests.architecture.contracts import check
sys.exit(not check(Path.cwd()))
"""


def broken(folder: Path, root: Path) -> str:
    """Return what the contracts find broken in the copy."""
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{root}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", CHECK]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert not run.stderr
    return run.stdout if run.returncode else ""


UNTYPED = {"Any", "dict", "dict[str, Any]", "Json"}


def untyped(tree: ast.Module) -> list[str]:
    """Return the public functions and methods that return something without a shape."""
    methods = [node for owner in tree.body if isinstance(owner, ast.ClassDef) for node in owner.body]
    return [
        node.name
        for node in [*tree.body, *methods]
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and not node.name.startswith("_")
        and node.returns
        and UNTYPED & set(ast.unparse(node.returns).split(" | "))
    ]


def test_services_return_rows_pages_or_schemas(root: Path) -> None:
    found = {path: untyped(ast.parse(path.read_text())) for path in (root / "budapp").glob("*/services.py")}
    assert len(found) > 20
    assert {str(path): names for path, names in found.items() if names} == {}
    planted = ast.parse("async def planted() -> dict[str, Any] | None: ...")
    assert untyped(planted) == ["planted"]


SQL_MODULES = {"crud", "columns", "models"}
"""Where statements are built, in a domain; and in modules called `..._crud`."""
COMMONS_WITH_SQL = {
    *("advisory_locks", "crud", "database", "encrypted_columns", "idempotency", "isolation", "jobs", "json_columns"),
    *("key_rotation", "leases", "pages", "paging", "pending", "postgresql", "prepared", "reading", "seeds"),
}
SQL_BY_NAME = {"audit/recorder.py"}
"""It hears what the ORM is about to write."""
SHAPES = {"Row", "Select", "ColumnElement"}
"""What others may name of SQLAlchemy, besides its errors: what they are given by a crud, or hand on to one."""
SENDS = {"execute", "scalar", "scalars", "stream", "get", "get_one"}


def sql_in(tree: ast.Module) -> list[str]:
    """Return what a module takes from SQLAlchemy to build statements, and where it sends some."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
            if node.module != "sqlalchemy.exc":
                found += sorted({alias.name for alias in node.names} - SHAPES)
        elif isinstance(node, ast.Attribute) and node.attr in SENDS and ast.unparse(node.value).endswith("session"):
            found.append(f"session.{node.attr}")
    return found


def has_sql_by_right(path: Path, package: Path) -> bool:
    if path.parent == package / "commons":
        return path.stem in COMMONS_WITH_SQL
    return path.stem in SQL_MODULES or path.stem.endswith("_crud") or str(path.relative_to(package)) in SQL_BY_NAME


def test_statements_are_built_and_sent_by_cruds_only(root: Path) -> None:
    package = root / "budapp"
    others = [path for path in package.rglob("*.py") if not has_sql_by_right(path, package)]
    found = {str(path.relative_to(package)): sql_in(ast.parse(path.read_text())) for path in others}
    assert {name: used for name, used in found.items() if used} == {}


def test_a_statement_in_a_service_is_found() -> None:
    planted = ast.parse("from sqlalchemy import Row, select\nasync def planted(session): await session.scalar(1)")
    assert sql_in(planted) == ["select", "session.scalar"]


def test_every_package_of_the_service_is_a_domain_or_below_all_domains(root: Path) -> None:
    packages = {path.parent.name for path in (root / "budapp").glob("*/__init__.py")}
    assert packages - {"cli", "commons", "glossary", "integrations"} == set(NAMES)


def test_another_domains_crud_is_out_of_bounds(copy: Path, root: Path) -> None:
    assert broken(copy, root) == ""
    services = copy / "budapp/catalog_ops/services.py"
    services.write_text(f"from budapp.model_ops import crud as planted\n{services.read_text()}")
    found = broken(copy, root)
    assert "budapp.model_ops.crud is private BROKEN" in found
    assert "budapp.catalog_ops.services" in found


def test_a_lower_domain_does_not_use_a_higher_one(copy: Path, root: Path) -> None:
    services = copy / "budapp/tenant_ops/services.py"
    services.write_text(f"from budapp.user_ops import models as planted\n{services.read_text()}")
    assert "The domains, from the upper to the lower BROKEN" in broken(copy, root)


def test_a_domain_that_is_left_out_of_the_layers_is_found(copy: Path, root: Path) -> None:
    (copy / "budapp/planted_ops").mkdir()
    (copy / "budapp/planted_ops/__init__.py").touch()
    assert "planted_ops" in broken(copy, root)


def test_a_row_that_was_waited_for_is_not_shown_with_what_it_referred_to_before() -> None:
    """`FOR UPDATE` reads the row anew once it is free, and what is joined to it as it was when the wait began."""
    relationships = [each for mapper in Base.registry.mappers for each in mapper.relationships]
    assert relationships
    assert [str(each) for each in relationships if each.lazy == "joined"] == []


def test_two_routes_that_are_the_same_to_clients_keep_the_service_from_starting(settings: Settings) -> None:
    router = APIRouter(prefix="/projects")

    @router.get("/{id}", dependencies=[public])
    async def planted(id: str) -> str:
        return id

    with pytest.raises(RuntimeError, match=r"GET /projects/\{"):
        create_app(settings, (*DOMAINS, Domain(routers=(router,))))


async def greet(_name: str) -> None:
    """Do nothing."""


def test_a_single_hook_has_one_registration() -> None:
    hook = Hook[Greet]("greet", single=True)
    with pytest.raises(ValueError, match="Hook greet: second clashes with first"):
        Hooks([hook.register(greet, name="first"), hook.register(greet, name="second")])


def test_a_name_is_registered_once_for_a_hook() -> None:
    hook = Hook[Greet]("greet")
    with pytest.raises(ValueError, match="clashes"):
        Hooks([hook.register(greet), hook.register(greet)])


def test_registrations_are_called_in_the_order_of_the_domains_and_belong_to_one_application() -> None:
    hook = Hook[Greet]("greet")

    async def other(_name: str) -> None:
        """Do nothing."""

    hooks = Hooks([hook.register(other), hook.register(greet)])
    assert list(hooks.all(hook)) == [other, greet]
    assert list(Hooks().all(hook)) == []
    with pytest.raises(LookupError, match="greet"):
        Hooks().one(hook)


def test_what_a_second_domain_registers_for_a_single_hook_keeps_the_service_from_starting(settings: Settings) -> None:
    taken = next(one for domain in DOMAINS for one in domain.hooks if one.hook.single)
    with pytest.raises(ValueError, match="clashes"):
        create_app(settings, (*DOMAINS, Domain(hooks=(taken.hook.register(taken.function, name="again"),))))


def test_two_components_of_a_type_keep_the_service_from_starting(settings: Settings) -> None:
    twice = Domain(components=(Component(str, lambda _: "a"), Component(str, lambda _: "b")))
    with pytest.raises(ValueError, match="Two components are declared with the type str"):
        Components(settings, [twice])


def test_components_that_need_each_other_are_named(settings: Settings) -> None:
    circle = Domain(components=(Component(str, lambda c: str(c[int])), Component(int, lambda c: len(c[str]))))
    with pytest.raises(LookupError, match="str -> int -> str: it needs itself"):
        Components(settings, [circle]).build_all()


async def test_what_was_not_asked_for_is_neither_built_nor_closed(settings: Settings) -> None:
    built: list[str] = []

    async def close(_component: object) -> None:
        built.append("closed")

    components = Components(settings, [Domain(components=(Component(str, lambda _: "a", close=close),))])
    await components.close()
    assert built == []
    assert components[str] == "a"
    await components.close()
    assert built == ["closed"]
