"""What budadmin reads of an answer is promised there: `reads.txt` names it, by operation."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]

NOT_PROMISED = {
    "GET /users/me": {
        "result.id": "an older spelling of user.id, read by a page that is not reached",
        "result.status": "likewise",
    },
    "PATCH /users/{user_id}": {"result": "read where `user` is missing"},
    "POST /users/validate-reset-token": {"result.is_valid": "read where `is_valid` is missing"},
    "POST /users/reset-password-with-token": {"result.message": "read where `message` is missing"},
    "GET /projects/{project_id}": {"result": "an older spelling of `project`"},
    "GET /projects/tags": {
        "results[].name": "an older spelling of `tags`; the list stays empty in that drawer",
        "results[].color": "likewise",
    },
    "GET /clusters/recommended/{workflow_id}": {"id": "only handed on, and read nowhere"},
    "POST /guardrails/deploy-workflow": {"detail": "of a refusal, whose text is in `message` too"},
    "DELETE /guardrails/probe/{probe_id}": {"detail": "likewise"},
    "GET /budpipeline/webhooks": {"[].secret": "it is shown once, when the webhook is made or its secret rotated"},
    "POST /budpipeline/{pipeline_id}/execute": {"detail": "of a refusal, whose text is in `message` too"},
    "GET /prompts": {
        "total": "read where `total_record` is missing",
        **dict.fromkeys(
            ("prompts[]|items[].author", "prompts[]|items[].category", "prompts[]|items[].rating"),
            "nothing has such a value; the card leaves it out",
        ),
    },
    "GET /prompts/connectors": {"total": "read where `total_record` is missing"},
    "POST /prompts/prompt-workflow": dict.fromkeys(
        ("errors[]", "recommendations", "validation_issues[]", "warnings[]"), "a refusal says it in `message`"
    ),
    "GET /prompts/{prompt_id}": dict.fromkeys(
        (
            *("prompt.author", "prompt.category", "prompt.rating", "prompt.system_prompt", "prompt.prompt_messages"),
            *("prompt.input_variables", "prompt.output_variables"),
        ),
        "older fields; the page shows the version's configuration",
    ),
    "GET /playground/deployments": {"endpoints[].model.provider": "a picture; another one is shown without it"},
}
"""Operation → what is read and not promised, and why the page does not need it."""


@cache
def reads() -> dict[str, list[str]]:
    """Return the fields that are read, by operation."""
    found: dict[str, list[str]] = {}
    operation = ""
    for line in (Path(__file__).parent / "reads.txt").read_text().splitlines():
        if line.startswith(" "):
            found[operation].append(line.strip())
        else:
            operation = line
            found[operation] = []
    return found


@cache
def document() -> Json:
    """Return what is promised, as it is committed."""
    found: Json = json.loads((ROOT / "docs/openapi.json").read_text())
    return found


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the schema refers to, or itself."""
    if "$ref" not in schema:
        return schema
    found: Json = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def answers_of(operation: str) -> list[Mapping[str, Any]]:
    """Return the schemas of the successful answers."""
    method, _, path = operation.partition(" ")
    answers = document()["paths"][path][method.lower()]["responses"]
    successful = [answer for status, answer in answers.items() if status.startswith("2")]
    return [content["schema"] for one in successful for content in one.get("content", {}).values()]


def plain(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what the schema stands for, one by one."""
    whole = resolved(schema)
    parts = [part for word in ("anyOf", "oneOf", "allOf") for part in whole.get(word, ())]
    for part in parts:
        yield from plain(part)
    if "items" in whole:
        yield from plain(whole["items"])
    elif not parts:
        yield whole


def promises(schema: Mapping[str, Any], parts: Sequence[str]) -> bool:
    """Tell whether the schema names the field, or admits any name there.

    `[]` stands for a list's element, and a name in braces for any.
    """
    if not parts:
        return True
    name = parts[0].replace("[]", "")
    for each in plain(schema):
        properties, more = each.get("properties", {}), each.get("additionalProperties")
        found = [inner for key, inner in properties.items() if key == name or name.startswith("{")]
        if more is True or any(promises(one, parts[1:]) for one in found):
            return True
        if isinstance(more, dict) and promises(more, parts[1:]):
            return True
    return False


def spellings(field: str) -> list[list[str]]:
    """Return the alternatives of a field: `a|b.c` is `a.c` or `b.c`."""
    head, dot, tail = field.partition(".")
    found = ([one, *(tail.split(".") if dot else [])] for one in head.split("|"))
    return [[part for part in parts if part != "[]"] for parts in found]


@pytest.mark.parametrize("operation", reads())
def test_what_is_read_of_an_answer_is_promised(operation: str) -> None:
    answers = answers_of(operation)
    missing = [
        field
        for field in reads()[operation]
        if not any(promises(answer, parts) for answer in answers for parts in spellings(field))
    ]
    assert sorted(missing) == sorted(NOT_PROMISED.get(operation, {}))
