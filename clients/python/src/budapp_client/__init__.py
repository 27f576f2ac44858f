"""A client of budapp's API: what is generated from its OpenAPI document (`rest`), and what makes it comfortable.

with Budapp.sign_in("https://api.example.com", "ann@example.com", password) as api:
for listed in each(projects_list.sync, lambda page: page.projects, client=api):
print(listed.project.name)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from budapp_client.connection import Budapp, answer
    from budapp_client.datasets import upload
    from budapp_client.deployments import deploy
    from budapp_client.errors import ApiError, BudappError, NoAnswer, NotFound, SignedOut, WorkflowEnded
    from budapp_client.paging import each
    from budapp_client.tokens import Store, Tokens
    from budapp_client.workflows import Progress, Step, wait_for, watch

__version__ = "0.1.0"

__all__ = [
    "ApiError",
    "Budapp",
    "BudappError",
    "NoAnswer",
    "NotFound",
    "Progress",
    "SignedOut",
    "Step",
    "Store",
    "Tokens",
    "WorkflowEnded",
    "answer",
    "deploy",
    "each",
    "upload",
    "wait_for",
    "watch",
]

_MODULES = {
    "connection": ("Budapp", "answer"),
    "datasets": ("upload",),
    "deployments": ("deploy",),
    "errors": ("ApiError", "BudappError", "NoAnswer", "NotFound", "SignedOut", "WorkflowEnded"),
    "paging": ("each",),
    "tokens": ("Store", "Tokens"),
    "workflows": ("Progress", "Step", "wait_for", "watch"),
}

if not TYPE_CHECKING:  # checkers know the names from the imports above

    def __getattr__(name: str) -> Any:
        """Import what is asked for: budctl's help needs none of it."""
        for module, names in _MODULES.items():
            if name in names:
                return getattr(import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
