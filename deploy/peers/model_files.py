"""The files of models in the file store, where budapp looks how large a model is."""

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import MinioException
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from peers.settings import PeerSettings

_WEIGHTS = 1_000_000
"""Bytes; a stand-in for weights need not have their size."""


class ModelFiles:
    """The bucket of models. Its methods block, and raise `OSError` where the store cannot be reached or refuses."""

    def __init__(self, settings: PeerSettings) -> None:
        self._bucket = settings.minio_bucket
        self._client = Minio(
            settings.minio_endpoint,
            access_key=settings.minio_access_key.get_secret_value(),
            secret_key=settings.minio_secret_key.get_secret_value(),
            secure=settings.minio_secure,
            region="us-east-1",
            http_client=PoolManager(timeout=Timeout(connect=2, read=10), retries=Retry(total=1)),
        )

    def save(self, path: str, info: Mapping[str, Any]) -> None:
        """Store a small set of files as a model has them."""
        configuration = {"model_type": info["architecture"]["family"], **info["architecture"]["text_config"]}
        files = {
            "README.md": f"# {info['uri']}\n\n{info['description']}\n".encode(),
            "config.json": json.dumps(configuration, indent=2).encode(),
            "model.safetensors": bytes(_WEIGHTS),
        }
        try:
            if not self._client.bucket_exists(self._bucket):
                self._client.make_bucket(self._bucket)
            for name, content in files.items():
                self._client.put_object(self._bucket, f"{path}/{name}", BytesIO(content), len(content))
        except (MinioException, HTTPError) as error:
            raise OSError("The file store does not answer") from error

    def delete(self, path: str) -> None:
        """Delete all files of a model."""
        try:
            found = self._client.list_objects(self._bucket, prefix=f"{path.strip('/')}/", recursive=True)
            names = [DeleteObject(item.object_name) for item in found if item.object_name]
            for refused in self._client.remove_objects(self._bucket, names):
                raise OSError(f"The file store keeps {refused.name}")
        except (MinioException, HTTPError) as error:
            raise OSError("The file store does not answer") from error
