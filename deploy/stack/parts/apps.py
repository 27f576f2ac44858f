"""budapp itself, and the stand-ins for the services that it talks to."""

from ..files import digest, tree_digest
from ..python_env import LOCKS, PROJECT_PYTHON
from ..settings import DEPLOY, ROOT, SAMPLE, Settings
from .part import Part, answers_http

PEERS: dict[str, str | None] = {
    "notify": "BUD_NOTIFY_APP_ID",
    "budpipeline": "BUD_PIPELINE_APP_ID",
    "budprompt": "BUD_PROMPT_APP_ID",
    "foundry": None,
    "budmodel": "BUD_MODEL_APP_ID",
    "budcluster": "BUD_CLUSTER_APP_ID",
    "budsim": "BUD_SIMULATOR_APP_ID",
    "budmetrics": "BUD_METRICS_APP_ID",
    "budeval": "BUD_EVAL_APP_ID",
}
"""Each stand-in in deploy/peers, and the variable with its app id; its ports are <NAME>_PORT, <NAME>_DAPR_...

One without an app id is no service of the platform, and has no sidecar.
"""

_FOR_PEERS = (
    "APP_ID",
    "DAPR_API_TOKEN",
    "PUBSUB_NAME",
    "STATESTORE_NAME",
    "MINIO_ENDPOINT",
    "MINIO_ACCESS_KEY",
    "MINIO_SECRET_KEY",
    "MINIO_SECURE",
    "MINIO_BUCKET",
    "TENSORZERO_REDIS_URL",
    "PEERS_STEP_SECONDS",
    "PEERS_STATUS_SECONDS",
    "PEERS_DEPLOYMENT_STATUS_SECONDS",
)

BUDAPP_COMMAND = (PROJECT_PYTHON, "-m", "budapp.cli")


def budapp(settings: Settings) -> Part:
    """Return the service."""
    port = settings.port("APP_PORT")
    return Part(
        name="budapp",
        title="budapp",
        command=[*BUDAPP_COMMAND, "serve"],
        ready=lambda: answers_http(port, "/readyz"),
        ports={"APP_PORT": port},
        environment=budapp_environment(settings),
        version=digest(settings.env_file, SAMPLE, LOCKS / "dev.txt", tree_digest(ROOT / "budapp")),
    )


def budapp_environment(settings: Settings) -> dict[str, str]:
    """Return where budapp finds its settings; what the file lacks comes from the sample."""
    return {**settings.missing, "BUDAPP_ENV_FILE": str(settings.env_file), "PYTHONUNBUFFERED": "1"}


def peer(settings: Settings, name: str) -> Part:
    """Return a stand-in."""
    variable = f"{name.upper()}_PORT"
    port = settings.port(variable)
    return Part(
        name=name,
        title=f"Stand-in for {name}",
        command=[PROJECT_PYTHON, "-m", "peers.serve", name, "--port", str(port)],
        ready=lambda: answers_http(port, "/control/requests"),
        ports={variable: port},
        environment=peer_environment(settings, name),
        version=digest(LOCKS / "dev.txt", tree_digest(DEPLOY / "peers")),
    )


def peer_environment(settings: Settings, name: str) -> dict[str, str]:
    """Return what a stand-in has to know: its sidecar, the file store, and how fast to work."""
    has_sidecar = PEERS[name] is not None
    sidecar = {"DAPR_HTTP_PORT": str(settings.port(f"{name.upper()}_DAPR_HTTP_PORT"))} if has_sidecar else {}
    return {
        **{variable: settings[variable] for variable in _FOR_PEERS},
        **sidecar,
        "PYTHONPATH": str(DEPLOY),
        "PYTHONUNBUFFERED": "1",
    }
