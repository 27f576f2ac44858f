"""The OpenAPI document is a promise: it changes only together with the committed copy, and never breaks a client."""

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from stack.lint import check_document
from stack.python_env import Workshop
from stack.settings import DEV_STATE, cache_folder

from budapp.commons.openapi import build_openapi, example_places, operation_name, operations_of, recorded_examples
from budapp.glossary import MEMBERS, PARAMETERS
from tests.cast import PASSWORD, Cast
from tests.failures import failures
from tests.surface.published import check_headers, published

SNAPSHOT = "docs/openapi.json"
ACCEPTED = "docs/openapi-accepted.txt"
"""Breaking changes that are meant, one message of oasdiff a line, with the reason in the commit."""

EARLIER_VERSIONS = (0, 1, 3, 7, 15, 31)
"""How many versions ago: the further back, the fewer, as what broke one of them mostly broke its neighbours too."""

MANY = 3
CLEAR_FROM_ITS_SCHEMA = {
    *("action", "description", "device_name", "email", "examples", "field", "file_name", "id", "name", "note"),
    *("password", "provider", "role", "status", "tags", "title", "type", "url", "version"),
}
"""Members that everyone knows, or that mean something else in each schema, which says it."""

_UNITS = (
    *("ms", "s", "seconds", "minutes", "days", "percent", "percentage", "pct", "bytes", "mb", "gb", "gib", "mbps"),
    *("mhz", "watts", "celsius", "cores", "tokens", "per_second", "per_minute", "per_hour", "per_sec"),
)
SAYS_ITS_UNIT = re.compile(rf"(?:^|_)(?:{'|'.join(_UNITS)})$|[a-z](?:Ms|Seconds|Minutes|Days)$")
"""Ends with a unit: `ttft_ms`, `memory_total_gb`, `lookAheadMinutes`."""
SAYS_THAT_IT_COUNTS = re.compile(r"\w_count$|^num_\w+$|^total_\w+s$")
"""Is a number of things: `rule_count`, `num_layers`, `total_nodes`."""


def parameters() -> list[dict[str, Any]]:
    """Return the parameters of all operations."""
    return [parameter for operation in operations_of(published()) for parameter in operation.get("parameters", ())]


def members() -> list[tuple[str, dict[str, Any]]]:
    """Return the members of all schemas, by their names."""
    schemas = published()["components"]["schemas"].values()
    return [each for schema in schemas for each in schema.get("properties", {}).items()]


def parts(member: dict[str, Any], schemas: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the schemas that a member's values can have, alone or in a list or a map; of an object, not its members."""
    yield member
    inner = [*member.get("anyOf", ()), *member.get("oneOf", ()), *member.get("allOf", ())]
    inner += [member[name] for name in ("items", "additionalProperties") if isinstance(member.get(name), dict)]
    if "$ref" in member:
        inner.append(schemas[member["$ref"].rpartition("/")[2]])
    for one in inner:
        yield from parts(one, schemas)


def without_a_description() -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Yield the schema, the name and the `parts` of each member that has none."""
    schemas = published()["components"]["schemas"]
    for schema, found in schemas.items():
        for name, member in found.get("properties", {}).items():
            if not member.get("description"):
                yield schema, name, list(parts(member, schemas))


def says_what_it_counts(name: str) -> bool:
    """Tell whether the name of a number says its unit, or of what it is the number."""
    return bool(SAYS_ITS_UNIT.search(name) or SAYS_THAT_IT_COUNTS.search(name))


def is_number(part: dict[str, Any]) -> bool:
    numbers = [value for value in part.get("enum", ()) if isinstance(value, int | float)]
    return part.get("type") in ("integer", "number") or bool(numbers)


def test_the_committed_document_is_the_one_that_is_served(app: FastAPI, root: Path) -> None:
    committed = json.loads((root / SNAPSHOT).read_text())
    app.openapi_schema = None  # which may be the committed one
    assert app.openapi() == committed, f"look at the change, then: .venv/bin/budapp openapi > {SNAPSHOT}"


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def test_no_earlier_version_of_the_document_is_broken(root: Path, tmp_path: Path) -> None:
    oasdiff = os.environ.get("OASDIFF")
    if oasdiff is None:
        pytest.fail("OASDIFF must say where oasdiff is; deploy/run_tests.sh does")
    revisions = git(root, "log", f"-{max(EARLIER_VERSIONS) + 1}", "--format=%H", "--", SNAPSHOT).split()
    accepted = ["--err-ignore", ACCEPTED] if (root / ACCEPTED).exists() else []
    for revision in [revisions[ago] for ago in EARLIER_VERSIONS if ago < len(revisions)]:
        earlier = tmp_path / f"{revision}.json"
        earlier.write_text(git(root, "show", f"{revision}:{SNAPSHOT}"))
        if earlier.read_text() == (root / SNAPSHOT).read_text():
            continue
        command = [oasdiff, "breaking", *accepted, "--fail-on", "ERR", str(earlier), SNAPSHOT]
        compared = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert compared.returncode == 0, f"since {revision[:10]}:\n{compared.stdout}{compared.stderr}"


def test_each_body_has_an_example_that_its_schema_allows() -> None:
    document = published()
    examples = 0
    with failures() as failed:
        for operation in operations_of(document):
            for place, content in example_places(operation).items():
                with failed(f"{operation['operationId']} {place}"):
                    schema = content["schema"] | {"components": document["components"]}
                    Draft202012Validator(schema).validate(content["example"])
                    examples += 1
    assert examples > 500


def test_every_recorded_example_is_of_an_operation() -> None:
    assert set(recorded_examples()) <= {operation["operationId"] for operation in operations_of(published())}


def test_no_example_has_a_secret_or_an_address_of_the_machine_on_which_it_was_recorded() -> None:
    text = json.dumps(recorded_examples())
    assert re.findall(rf"eyJ[\w-]{{10,}}|127\.0\.0\.1:\d+|localhost:\d+|bud(?:_|-)[\w-]{{30,}}|{PASSWORD}", text) == []


def test_every_parameter_is_described() -> None:
    assert {parameter["name"] for parameter in parameters() if not parameter.get("description")} == set()


def test_every_number_is_described_or_its_name_says_the_unit() -> None:
    unclear = [
        f"{schema}.{name}"
        for schema, name, found in without_a_description()
        if any(is_number(part) for part in found) and not says_what_it_counts(name)
    ]
    assert unclear == [], "say what it is and in which unit: budapp/glossary/figures.py, or Field(description=...)"


@pytest.mark.parametrize(
    ("name", "clear"),
    [
        *(
            ("ttft_ms", True),
            ("max_delay_s", True),
            ("lookAheadMinutes", True),
            ("percentage", True),
            ("num_bins", True),
        ),
        *(("rule_count", True), ("total_nodes", True), ("input_tokens", True), ("requests_per_minute", True)),
        *(("ttft", False), ("duration", False), ("count", False), ("total_cost", False), ("total", False)),
        *(("error_rate", False), ("replicas", False), ("items", False), ("discount", False)),
    ],
)
def test_what_counts_as_a_name_that_says_its_unit(name: str, clear: bool) -> None:
    assert says_what_it_counts(name) == clear


def test_a_member_that_several_schemas_have_is_described() -> None:
    """But for objects of a schema of their own, which says what they are."""
    undescribed = Counter(
        name
        for _, name, found in without_a_description()
        if not any("properties" in part for part in found) and not says_what_it_counts(name)
    )
    assert {name for name, count in undescribed.items() if count >= MANY} == CLEAR_FROM_ITS_SCHEMA


def test_the_glossary_says_more_than_the_names_and_in_no_sentences() -> None:
    """Its texts stand in tables and beside names."""
    assert [
        text for text in (*PARAMETERS.values(), *MEMBERS.values()) if text.endswith(".") or text != text.strip()
    ] == []
    plain = {name: re.sub(r"\W+", "_", text.lower()).removeprefix("the_") for name, text in MEMBERS.items()}
    assert [name for name, text in plain.items() if text == name.lower()] == []


def test_the_glossary_has_no_name_that_nothing_has() -> None:
    assert set(PARAMETERS) <= {parameter["name"] for parameter in parameters()}
    assert set(MEMBERS) <= {name for name, _ in members()}


async def test_an_answer_that_is_replayed_says_so_as_declared(client: httpx.AsyncClient, cast: Cast) -> None:
    headers = cast.manager.headers | {"Idempotency-Key": "twice"}
    answers = [await client.post("/projects/", json={"name": "Atlas"}, headers=headers) for _ in range(2)]
    for answer in answers:
        check_headers("POST /projects/", answer)
    assert ["idempotent-replayed" in answer.headers for answer in answers] == [False, True]


def test_spectral_and_redocly_find_nothing() -> None:
    check_document(Workshop(cache_folder(), DEV_STATE))


@pytest.mark.parametrize(
    ("tag", "function", "name"),
    [
        ("projects", "create_project", "projects_create"),
        ("projects", "list_projects", "projects_list"),
        ("api keys", "revoke_all_api_keys", "api_keys_revoke_all"),
        ("cluster metrics", "get_node_events", "cluster_metrics_get_node_events"),
        ("events", "stream", "events_stream"),
    ],
)
def test_operations_have_names_that_read_well_in_a_generated_client(tag: str, function: str, name: str) -> None:
    assert operation_name(tag, function) == name


def test_each_operation_has_a_name_of_its_own_and_a_described_tag(root: Path) -> None:
    document = json.loads((root / SNAPSHOT).read_text())
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+", name) for name in names)
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    assert {operation["tags"][0] for operation in operations} == described


def test_two_routes_with_one_name_are_refused() -> None:
    app = FastAPI()
    for path in ("/one", "/two"):
        app.get(path, tags=["things"])(lambda: None)
    with pytest.raises(RuntimeError, match="two routes are called things_<lambda>"):
        build_openapi(app)


def test_no_two_schemas_share_a_name(root: Path) -> None:
    """FastAPI then puts the module into the names, and generated clients change as modules move."""
    schemas = json.loads((root / SNAPSHOT).read_text())["components"]["schemas"]
    assert [name for name in schemas if name.startswith("budapp__")] == []
