"""How good deployments are: experiments, evaluations in them, and their scores set beside each other."""

from budapp.commons.domain import Domain
from budapp.evaluation_ops.hooks import experiments_of_traits
from budapp.experiment_ops import models, scores, services
from budapp.experiment_ops.creation import CREATION
from budapp.experiment_ops.evaluation_routes import router as evaluation_router
from budapp.experiment_ops.routes import eta_router, router
from budapp.experiment_ops.score_routes import router as score_router
from budapp.experiment_ops.workflows import EVALUATION
from budapp.model_ops.hooks import eval_result

domain = Domain(
    routers=(score_router, evaluation_router, eta_router, router),
    tables=(models,),
    workflows=(EVALUATION, CREATION),
    hooks=(
        experiments_of_traits.register(services.experiments_of_traits),
        eval_result.register(scores.result_of_model),
    ),
)
