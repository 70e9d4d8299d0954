"""Logs: one line an event on standard error, JSON for machines or readable for people. Never a secret or a token."""

from __future__ import annotations

import logging
import sys
from asyncio import CancelledError

import structlog

_format = ""
_POOLS = ("sqlalchemy.pool.impl.AsyncAdaptedQueuePool", "sqlalchemy.pool.impl.NullPool")
_GRPC = "grpc._cython.cygrpc"


def configure(process: str, log_format: str = "json") -> None:
    """Sets up structlog and the standard library's logging alike; `log_format` is `json` or `console`."""
    global _format  # as structlog's own configuration, one for the process
    _format = log_format
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # the rich one shows values of variables
        )
        if log_format == "console"
        else structlog.processors.JSONRenderer()
    )
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _named(process),
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for pool in _POOLS:
        logging.getLogger(pool).addFilter(_lost_connection_in_short)
    logging.getLogger(_GRPC).addFilter(_unsent_answer_in_short)


def writes_json() -> bool:
    """Whether `configure` was told to write JSON: for who writes lines in that form without the pipeline."""
    return _format == "json"


def _lost_connection_in_short(record: logging.LogRecord) -> bool:
    """Leaves one line of a connection that was lost before it could be closed: PostgreSQL went, and nothing is wrong.

    SQLAlchemy says it with a traceback of its own insides, once for each connection of the pool. Where a client went,
    which cancels its call, the connection is closed all the same.
    """
    if record.exc_info and (error := record.exc_info[0]) is not None:
        _shorten(record, error.__name__, logging.INFO if issubclass(error, CancelledError) else logging.WARNING)
    return True


def _unsent_answer_in_short(record: logging.LogRecord) -> bool:
    """Leaves one line of an answer that could not be sent: whoever asked was gone, as clients may be at any time.

    gRPC says it as an error, with a traceback of its own insides, where it finds that out before it cancels the call.
    """
    if record.exc_info and record.exc_info[0] is not None and record.exc_info[0].__name__ == "ExecuteBatchError":
        _shorten(record, record.exc_info[0].__name__, logging.INFO)
    return True


def _shorten(record: logging.LogRecord, error: str, level: int) -> None:
    record.msg, record.args = f"{record.getMessage()}: {error}", ()
    record.exc_info, record.levelno, record.levelname = None, level, logging.getLevelName(level)


def _named(process: str) -> structlog.types.Processor:
    def add(_: structlog.types.WrappedLogger, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        event["process"] = process
        return event

    return add
