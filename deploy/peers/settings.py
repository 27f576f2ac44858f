"""What a stand-in is told by its environment."""

from pydantic import SecretStr
from pydantic_settings import BaseSettings


class PeerSettings(BaseSettings):
    """How to reach the sidecar and the file store, and how fast to work."""

    app_id: str = "budapp"
    """What budapp is called at the sidecar."""
    dapr_http_port: int = 3500
    dapr_api_token: SecretStr = SecretStr("")
    pubsub_name: str = "pubsub-redis"
    statestore_name: str = "statestore"

    minio_endpoint: str = "127.0.0.1:9000"
    minio_access_key: SecretStr = SecretStr("")
    minio_secret_key: SecretStr = SecretStr("")
    minio_secure: bool = False
    minio_bucket: str = "models-registry"

    tensorzero_redis_url: SecretStr = SecretStr("")
    """Where the gateway's tables are: budmetrics makes up the traffic of the keys in them."""

    peers_step_seconds: float = 1
    """How long a step of work takes."""

    peers_status_seconds: float = 600
    """How often the status of each cluster is told; 0 for never."""
    peers_deployment_status_seconds: float = 180
    """How often the status of each deployment is told, unless that of clusters never is."""
    peer_port: int = 0
    """Where the stand-in itself is reached."""
