"""API keys for the gateway."""

from budapp.api_key_ops import crud, models, services
from budapp.commons.domain import Domain
from budapp.project_ops import hooks as project_hooks
from budapp.user_ops import hooks as user_hooks

domain = Domain(
    tables=(models,),
    hooks=(
        project_hooks.count.register(crud.count_in_project, name="credentials"),
        project_hooks.before_removal.register(services.before_project_removal),
        user_hooks.before_deletion.register(services.before_user_deletion),
    ),
)
