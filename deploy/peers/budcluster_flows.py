"""The steps by which budcluster registers and deletes clusters, in its words."""

from peers.flow import Flow, Step

_VERIFY = Step(
    id="verify_cluster_connection",
    title="Verifying cluster connection",
    description="Verify that the cluster can be reached",
    completed=("Cluster verification successful", "The cluster can be reached"),
    failed=("Cluster verification failed", "{error}"),
)
_CONFIGURE = Step(
    id="configure_cluster",
    title="Configuring cluster",
    description="Install what deployments need",
    completed=("Cluster configuration successful", "The cluster is configured"),
    failed=("Cluster configuration failed", "{error}"),
)
_FETCH = Step(
    id="fetch_cluster_info",
    title="Fetching cluster info",
    description="Look at the machines of the cluster",
    completed=("Cluster info fetching successful", "The machines of the cluster are known"),
    failed=("Cluster info fetching failed", "{error}"),
)
_RESULTS = ("Fetching cluster nodes info successful", "Cluster nodes info fetched successfully")

ON_PREMISES = Flow(
    type="register_cluster",
    minutes=9,
    steps=(
        Step(
            id="determine_cluster_platform",
            title="Determining cluster platform",
            description="Find out what kind of cluster it is",
            completed=("Cluster platform determined successfully", "Cluster platform determined successfully"),
            failed=("Cluster platform determination failed", "{error}"),
        ),
        Step(
            id="check_duplicate_config",
            title="Checking for duplicate cluster",
            description="Check whether the cluster is registered already",
            completed=("Duplicate cluster not found", "Duplicate cluster not found"),
            failed=("Duplicate cluster found", "{error}"),
        ),
        _VERIFY,
        _CONFIGURE,
        _FETCH,
    ),
    results=_RESULTS,
)

CLOUD = Flow(
    type="register_cluster",
    minutes=9,
    steps=(
        Step(
            id="create_cloud_provider_cluster",
            title="Creating Bud Inference Cluster",
            description="Make a cluster in the provider's cloud",
            started=("Cluster Provisioning", "Starting cloud cluster provisioning"),
            running=("Cluster Provisioning", "Starting cloud cluster provisioning"),
            completed=("Cluster Provisioned", "Cluster provisioned successfully"),
            failed=("Failed to create cluster", "{error}"),
        ),
        _VERIFY,
        _CONFIGURE,
        _FETCH,
    ),
    results=_RESULTS,
)

DELETION = Flow(
    type="delete_cluster",
    minutes=1,
    steps=(
        Step(
            id="delete_namespace",
            title="Deleting Cluster",
            description="Take everything off the cluster",
            started=(
                "Cluster deletion process is initiated",
                "Cluster deletion process is initiated for cluster id : {cluster_id}",
            ),
            completed=("Cluster deleted successfully", "Cluster {cluster_id} was deleted successfully"),
            failed=("Cluster deletion failed", "{error}"),
        ),
    ),
    results=("Cluster deleted successfully", "Cluster {cluster_id} was deleted successfully"),
)
