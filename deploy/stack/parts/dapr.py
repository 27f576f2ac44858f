"""Dapr sidecars."""

from ..files import digest
from ..settings import DEPLOY, Settings
from ..toolbox import Tools
from .part import Part, answers_http

_COMPONENTS = DEPLOY / "dapr" / "components"
_CONFIGURATION = DEPLOY / "dapr" / "config.yaml"


def sidecar(settings: Settings, tools: Tools, app: str, app_id: str, prefix: str = "", app_version: str = "") -> Part:
    """Return the sidecar of an app.

    Args:
        settings: The stack's settings.
        tools: Where daprd is.
        app: The name of the app's part.
        app_id: The variable with its Dapr app id.
        prefix: What its port variables begin with.
        app_version: The version of an app whose subscriptions may change with it: a sidecar asks for them only once.
    """
    names = (f"{prefix}DAPR_HTTP_PORT", f"{prefix}DAPR_GRPC_PORT", f"{prefix}DAPR_INTERNAL_GRPC_PORT")
    ports = {name: settings.port(name) for name in names}
    http, grpc, internal = ports.values()
    return Part(
        name=f"{app}-sidecar",
        title=f"Dapr sidecar of {app}",
        command=[
            tools.daprd,
            f"--app-id={settings[app_id]}",
            f"--app-port={settings.port((prefix or 'APP_') + 'PORT')}",
            "--app-protocol=http",
            f"--dapr-http-port={http}",
            f"--dapr-grpc-port={grpc}",
            f"--dapr-internal-grpc-port={internal}",
            "--dapr-listen-addresses=127.0.0.1",
            f"--resources-path={_COMPONENTS}",
            f"--config={_CONFIGURATION}",
            "--enable-metrics=false",
        ],
        # "outbound": ready to be called. The sidecar as a whole is ready once its app listens too.
        ready=lambda: answers_http(http, "/v1.0/healthz/outbound"),
        ports=ports,
        environment={
            "APP_API_TOKEN": settings["APP_API_TOKEN"],
            "DAPR_API_TOKEN": settings["DAPR_API_TOKEN"],
            "VALKEY_ADDRESS": f"127.0.0.1:{settings.port('VALKEY_PORT')}",
            "SECRETS_VALKEY_PASSWORD": settings["VALKEY_PASSWORD"],
        },
        version=digest(
            tools.daprd.stat().st_mtime_ns, _CONFIGURATION, *sorted(_COMPONENTS.glob("*.yaml")), app_version
        ),
    )
