"""Structured logs: one JSON object a line on standard output, with the request id, never with a secret."""

import logging
import re
import sys
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any, TextIO

import structlog

from budapp.commons.context import request_id

_SECRET_NAME = re.compile(r"password|secret|token|authorization|api_?key|cookie|credential", re.IGNORECASE)
_SECRET_TEXT = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|(?i:bearer)\s+\S+|bud_(?:client|admin)_[\w-]+")


def _add_request_id(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    current = request_id.get()
    if current:
        event["request_id"] = current
    return event


@lru_cache
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank the values of fields named like secrets, and tokens inside texts."""
    for name, value in event.items():
        if _is_secret(name):
            event[name] = "[redacted]"
        elif isinstance(value, str):
            event[name] = _SECRET_TEXT.sub("[redacted]", value)
    return event


_SHARED: list[structlog.typing.Processor] = [
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _add_request_id,
    structlog.processors.format_exc_info,
    redact,
]


def configure_logging(level: str, stream: TextIO | None = None) -> None:
    """Send the logs of our code and of the libraries through one formatter, to standard output or another stream."""
    stream = stream or sys.stdout
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *_SHARED, structlog.processors.JSONRenderer()],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    ours = logging.StreamHandler(stream)
    ours.setFormatter(logging.Formatter("%(message)s"))
    foreign = logging.StreamHandler(stream)
    foreign.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder(), *_SHARED],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[foreign], force=True)
    budapp = logging.getLogger("budapp")
    budapp.handlers, budapp.propagate = [ours], False
    set_log_level(level)


def set_log_level(level: str) -> None:
    """Log from this level on; what libraries log from WARNING on at least."""
    logging.getLogger().setLevel(max(logging.getLevelNamesMapping()[level], logging.WARNING))
    logging.getLogger("budapp").setLevel(level)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module; pass `__name__`."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
