"""Kubeconfigs for tests: a good one, and what can be wrong with one."""

import base64
from typing import Any
from uuid import uuid4

import yaml


def pem(what: str = "CERTIFICATE") -> str:
    return base64.b64encode(f"-----BEGIN {what}-----\nAAAA\n-----END {what}-----\n".encode()).decode()


def config(server: str | None = None, **user: Any) -> dict[str, Any]:
    """Return a kubeconfig of a cluster that no other test has."""
    server = server or f"https://{uuid4().hex}.example.com:6443"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority-data": pem()}}],
        "users": [{"name": "u", "user": user or {"token": f"secret-token-{uuid4().hex}"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
        "preferences": {},
    }


def dumped(document: Any) -> bytes:
    text: str = yaml.safe_dump(document)
    return text.encode()
