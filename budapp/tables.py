"""Every table, so that Alembic and the tests know all of them."""

from budapp.asset_ops import models as asset_models
from budapp.audit import models as audit_models
from budapp.audit_ops import models as audit_ops_models
from budapp.auth import models as auth_models
from budapp.billing_ops import models as billing_models
from budapp.cluster_ops import models as cluster_models
from budapp.commons import idempotency, jobs
from budapp.credential_ops import models as credential_models
from budapp.dataset_ops import models as dataset_models
from budapp.endpoint_ops import models as endpoint_models
from budapp.events import models as event_models
from budapp.model_ops import models as model_models
from budapp.oauth_ops import models as oauth_models
from budapp.project_ops import models as project_models
from budapp.quantization_ops import models as quantization_models
from budapp.recommendation_ops import models as recommendation_models
from budapp.session_ops import models as session_models
from budapp.template_ops import models as template_models
from budapp.tenant_ops import models as tenant_models
from budapp.user_ops import models as user_models
from budapp.workflow_ops import models as workflow_models

ALL_TABLES = (
    asset_models,
    audit_models,
    audit_ops_models,
    auth_models,
    billing_models,
    cluster_models,
    credential_models,
    dataset_models,
    endpoint_models,
    event_models,
    idempotency,
    jobs,
    oauth_models,
    model_models,
    project_models,
    quantization_models,
    recommendation_models,
    session_models,
    template_models,
    tenant_models,
    user_models,
    workflow_models,
)
