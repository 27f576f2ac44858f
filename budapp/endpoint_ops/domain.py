"""Deployments: models that run in projects."""

from budapp.api_key_ops import hooks as key_hooks
from budapp.cluster_ops import hooks as cluster_hooks
from budapp.commons.domain import Domain
from budapp.endpoint_ops import credential_crud, credential_use, crud, models, openable_crud, reports, services
from budapp.endpoint_ops.routes import project_router, router
from budapp.endpoint_ops.step_views import DeploymentSteps
from budapp.integrations.deployment_reports import STATUS_EVENTS
from budapp.model_ops import hooks as model_hooks
from budapp.project_ops import hooks as project_hooks
from budapp.provider_credential_ops import hooks as credential_hooks
from budapp.provider_ops import hooks as provider_hooks
from budapp.user_ops import hooks as user_hooks

domain = Domain(
    routers=(router, project_router),
    tables=(models,),
    step_views=(DeploymentSteps,),
    event_handlers=lambda _: {STATUS_EVENTS: reports.take_report},
    hooks=(
        project_hooks.count.register(crud.count_in_project, name="endpoints"),
        project_hooks.before_removal.register(services.before_project_removal),
        cluster_hooks.usage.register(crud.use_of_cluster),
        cluster_hooks.before_deletion.register(services.before_cluster_deletion),
        user_hooks.before_deletion.register(services.before_user_deletion),
        model_hooks.endpoint_count.register(crud.count_of_model),
        key_hooks.deployed.register(openable_crud.openable),
        credential_hooks.endpoint_count.register(credential_crud.count_of_credential),
        credential_hooks.endpoints.register(credential_use.endpoints_of),
        credential_hooks.link.register(credential_use.use_credential),
        provider_hooks.after_sync.register(services.follow_catalog),
    ),
)
