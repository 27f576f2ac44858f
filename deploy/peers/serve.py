"""Run a stand-in: `python -m peers.serve notify --port 9101`."""

import argparse
import importlib

import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware

from peers.control import Control, ControlMiddleware
from peers.settings import PeerSettings

EXTENSIONS = {"budpipeline": "budpipeline_guardrails"}
"""Stand-in → the module whose `extend` adds to what it does."""


def create_app(name: str, port: int) -> FastAPI:
    """Return the application of the stand-in `peers/<name>.py`, whose function `router` gives its routes."""
    control = Control(name, PeerSettings(peer_port=port))
    if name in EXTENSIONS:
        importlib.import_module(f"peers.{EXTENSIONS[name]}").extend()
    router: APIRouter = importlib.import_module(f"peers.{name}").router(control)
    app = FastAPI(title=f"Stand-in for {name}")
    app.include_router(router)
    app.include_router(control.router())
    app.add_api_route("/health", _health, tags=["control"])
    app.add_middleware(ControlMiddleware, control=control)
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])
    return app


async def _health() -> dict[str, str]:
    return {"object": "info", "message": "ack"}


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="a module of the package peers")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    app = create_app(arguments.name, arguments.port)
    # A sidecar sends on connections that were idle for up to 90 s.
    uvicorn.run(app, host=arguments.host, port=arguments.port, log_level="info", timeout_keep_alive=120)


if __name__ == "__main__":
    main()
