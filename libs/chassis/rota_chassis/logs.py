"""Logs are facts: one line per decision, with an `action` and the ids it concerns, on standard output."""

import json
import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from rota_chassis.redaction import Redactor

_METHODS = ("debug", "info", "warning", "error", "exception", "critical")
_encoder = msgspec.json.Encoder(enc_hook=repr)
_loggers: list[FilteringBoundLogger] = []
_hidden = Redactor(most=200)


def hide(secrets: Iterable[str]) -> None:
    """No line of this process holds these from now on, whoever writes it."""
    _hidden.add(secrets)


def configure(service: str, *, level: str = "info", style: Literal["console", "json"] = "json") -> None:
    """Sets logging up for the whole process; libraries that log through `logging` arrive in the same form."""

    def stamp(_logger: object, _method: str, line: EventDict) -> EventDict:
        line["service"] = service
        line["timestamp"] = datetime.now(UTC).isoformat().removesuffix("+00:00") + "Z"
        return line

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        stamp,
    ]
    renderer: Processor
    foreign: Processor
    factory: structlog.BytesLoggerFactory | structlog.PrintLoggerFactory
    if style == "json":
        shared.append(structlog.processors.format_exc_info)
        renderer, foreign = _as_json, _as_text
        factory = structlog.BytesLoggerFactory()
    else:
        console = structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(),
            pad_event_to=0,
            # The default shows local variables: slow, and among them keys and prompts.
            exception_formatter=structlog.dev.plain_traceback,
        )

        def shown(logger: object, method: str, line: EventDict) -> str:
            return _hidden(console(logger, method, line))

        renderer = foreign = shown
        factory = structlog.PrintLoggerFactory()
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    for one in _loggers:
        _shorten(one)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, foreign],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def logger(name: str) -> FilteringBoundLogger:
    """The logger of a module: `log.info("a sentence", action="dispatched", run_id=…)`."""
    bound: FilteringBoundLogger = structlog.get_logger(name)
    _loggers.append(bound)
    if structlog.is_configured():
        _shorten(bound)
    return bound


def _shorten(proxy: FilteringBoundLogger) -> None:
    """Modules hold what looks its logger up in each call; from now on it need not."""
    bound = proxy.bind()
    for method in _METHODS:
        setattr(proxy, method, getattr(bound, method))


def _as_json(_logger: object, _method: str, line: EventDict) -> bytes:
    try:
        encoded = _encoder.encode(line)
    except (TypeError, ValueError, OverflowError):  # half a character, a number or key of another kind
        encoded = json.dumps(line, default=repr, skipkeys=True).encode()
    return _hidden(encoded.decode()).encode() if _hidden else encoded


def _as_text(logger: object, method: str, line: EventDict) -> str:
    return _as_json(logger, method, line).decode()
