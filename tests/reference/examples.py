"""The examples for users of the API."""

import ast
from pathlib import Path

from tests.reference.markdown import page

_FOLDER = Path(__file__).resolve().parents[2] / "clients" / "python" / "examples"
_LEAD = """
Small programs that use the [Python client](../client.md), from `clients/python/examples`; a test runs each of them. Set
`BUDAPP_ADDRESS`, and in `BUDAPP_TOKEN` an access token or the key of a
[service account](../api-keys.md#service-accounts).
"""


def render() -> str:
    """Return the page."""
    return page("Examples", _LEAD, *map(_shown, sorted(_FOLDER.glob("*.py"))))


def _shown(path: Path) -> str:
    source = path.read_text()
    module = ast.parse(source)
    code = "\n".join(source.splitlines()[module.body[0].end_lineno or 0 :]).strip()
    return f"## {path.stem.replace('_', ' ').capitalize()}\n\n{ast.get_docstring(module)}\n\n```python\n{code}\n```"
