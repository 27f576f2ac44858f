"""Structured logs: one JSON object a line on standard output, with the request id, never with a secret."""

import json
import logging
import re
import sys
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any, TextIO

import orjson
import structlog
from opentelemetry import trace

from budapp.commons.context import request_id

_SECRET_NAME = re.compile(r"password|secret|token|authorization|api_?key|cookie|credential", re.IGNORECASE)
_SECRET_TEXT = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|(?i:bearer)\s+\S+|bud_(?:client|admin)_[\w-]+")


def _add_ids(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say which request, and which span of which trace, the line belongs to."""
    current = request_id.get()
    if current:
        event["request_id"] = current
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"], event["span_id"] = trace.format_trace_id(span.trace_id), trace.format_span_id(span.span_id)
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


def _as_json(event: Any, **options: Any) -> bytes:
    """Return the line; what orjson refuses, such as half a character or a huge number, the standard library takes."""
    try:
        return orjson.dumps(event, **options)
    except TypeError:
        return json.dumps(event, **options).encode()


class _Output:
    """Where the lines go and from which level on; changed in place, as loggers keep what they have been given."""

    def __init__(self) -> None:
        self.text: TextIO = sys.stdout
        self.level = logging.INFO

    def write(self, line: bytes) -> None:
        # Lines of other libraries go through the text stream; its buffer is empty, as it is flushed after each.
        self.text.buffer.write(line)

    def flush(self) -> None:
        self.text.flush()


_output = _Output()
_LEVELS = logging.getLevelNamesMapping()


def _drop_below_level(_logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if _LEVELS[method.upper()] < _output.level:
        raise structlog.DropEvent
    return event


_SHARED: list[structlog.typing.Processor] = [
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _add_ids,
    structlog.processors.format_exc_info,
    redact,
]


_OURS: list[structlog.typing.Processor] = [
    _drop_below_level,
    *_SHARED,
    structlog.processors.JSONRenderer(serializer=_as_json),
]


def configure_logging(level: str, stream: TextIO | None = None) -> None:
    """Send the logs of our code and of the libraries to standard output or another stream, in the same form.

    Ours go straight there: the standard library's loggers would cost as much again as all the rest of a line.
    """
    _output.text = stream or sys.stdout
    structlog.configure(
        processors=_OURS,
        logger_factory=structlog.BytesLoggerFactory(_output),  # type: ignore[arg-type]  # it only writes and flushes
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        cache_logger_on_first_use=True,
    )
    foreign = logging.StreamHandler(_output.text)
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
    set_log_level(level)


def set_log_level(level: str) -> None:
    """Log from this level on; what libraries log from WARNING on at least."""
    _output.level = _LEVELS[level]
    logging.getLogger().setLevel(max(_output.level, logging.WARNING))


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return the logger of a module; pass `__name__`."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(name)
    return logger
