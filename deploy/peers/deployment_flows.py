"""What budcluster tells of its work on deployments, in its own words."""

from dataclasses import replace

from peers.flow import Flow, Step

_VERIFY = Step(
    id="verify_cluster_connection",
    title="Verifying cluster connection",
    description="Check that the cluster can be reached",
    completed=("Cluster connection verification successful", "The cluster can be reached"),
    failed=("Cluster connection verification failed", "{error}"),
)
_PROCESS = Step(
    id="deployment_status",
    title="Deployment status",
    description="The deployment as a whole",
    started=("Model deployment process is initiated", "Model deployment process is initiated for {name}"),
    completed=("Model deployment completed", "Model deployment completed successfully"),
    failed=("Model deployment failed", "{error}"),
)

DEPLOYMENT = Flow(
    type="deploy_model",
    minutes=8,
    process=_PROCESS,
    steps=(
        _VERIFY,
        Step(
            id="transfer_model_to_cluster",
            title="Transferring model to cluster",
            description="Copy the files of the model to the cluster",
            completed=("Model transfer successful", "Transferred {model} to the cluster"),
            failed=("Model transfer failed", "{error}"),
        ),
        Step(
            id="deploy_to_engine",
            title="Deploying model to engine",
            description="Start the engine with the model",
            completed=("Model deployment to engine successful", "The engine runs {name}"),
            failed=("Model deployment to engine failed", "{error}"),
        ),
        Step(
            id="verify_deployment_status",
            title="Verifying deployment status",
            description="Wait for the workers to be ready",
            completed=("Model deployment is healthy", "All workers of {name} are ready"),
            failed=("Model deployment is not healthy", "{error}"),
        ),
        Step(
            id="run_performance_benchmark",
            title="Running performance benchmark",
            description="Measure how fast the deployment answers",
            completed=("Performance benchmark successful", "The deployment meets its targets"),
            failed=("Performance benchmark failed", "{error}"),
        ),
    ),
    results=("Performance benchmark successful", "The deployment {name} is ready"),
)

MORE_WORKERS = replace(DEPLOYMENT, type="add_worker")

DELETION = Flow(
    type="delete_deployment",
    minutes=10,
    process=Step(
        id="deployment_deletion_status",
        title="Deployment deletion",
        description="The deletion as a whole",
        started=(
            "Deployment deletion process is initiated",
            "Deployment deletion process is initiated for namespace : {namespace}",
        ),
        completed=("Deployment deleted successfully", "Deployment {namespace} was deleted successfully"),
        failed=("Deployment deletion failed", "{error}"),
    ),
    steps=(
        Step(
            id="delete_namespace",
            title="Deleting model deployment",
            description="Delete the namespace with all that is in it",
            completed=("Namespace deleted successfully", "Namespace deleted successfully"),
            failed=("Deployment deletion failed", "{error}"),
        ),
    ),
    results=("Deployment deleted successfully", "Deployment {namespace} was deleted successfully"),
)

WORKER_DELETION = Flow(
    type="delete_worker",
    minutes=10,
    process=Step(
        id="delete_worker_status",
        title="Worker deletion",
        description="The deletion as a whole",
        started=("Deleting worker", "Deleting worker {worker_id}"),
        completed=("Worker deleted", "Worker {name} deleted successfully"),
        failed=("Deleting worker failed", "{error}"),
    ),
    steps=(
        Step(
            id="delete_worker",
            title="Deleting worker",
            description="Delete the pod",
            completed=("Deleted worker", "Worker {name} deleted successfully"),
            failed=("Worker not found", "{error}"),
        ),
    ),
    results=("Worker deleted", "Worker {name} deleted successfully"),
)

ADAPTER = Flow(
    type="add_adapter",
    minutes=5,
    steps=(
        _VERIFY,
        Step(
            id="transfer_adapter_to_cluster",
            title="Transferring Adapter to cluster",
            description="Copy the files of the adapter to the cluster",
            completed=("Adapter transfer successful", "Transferred {adapter} to the cluster"),
            failed=("Adapter transfer failed", "{error}"),
        ),
        Step(
            id="deploy_adapter",
            title="Deploying adapter",
            description="Have the engine load the adapter",
            completed=("Adapter deployment successful", "The engine has loaded {adapter}"),
            failed=("Adapter deployment failed", "{error}"),
        ),
        Step(
            id="adapter_status",
            title="Adapter status",
            description="Wait for the adapter to answer",
            completed=("Adapter deployment completed", "Adapter deployment completed"),
            failed=("Adapter deployment failed", "{error}"),
        ),
    ),
    results=("Adapter deployment completed", "Adapter deployment completed successfully"),
)

ADAPTER_DELETION = Flow(
    type="delete_adapter",
    steps=(
        Step(
            id="perform_delete_adapter",
            title="Deleting adapter",
            description="Have the engine drop the adapter",
            completed=("Adapter deletion successful", "The engine has dropped {adapter}"),
            failed=("Adapter deletion failed", "{error}"),
        ),
    ),
    results=("Adapter deleted successfully", "Adapter deletion completed successfully"),
)
