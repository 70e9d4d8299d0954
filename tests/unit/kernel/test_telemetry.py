"""What libraries shout although nothing is wrong is one quiet line; what is wrong is told whole."""

from __future__ import annotations

import json
import logging
from asyncio import CancelledError
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import structlog
from grpc._cython.cygrpc import ExecuteBatchError

from kernel import telemetry

GRPC = "grpc._cython.cygrpc"
POOL = "sqlalchemy.pool.impl.AsyncAdaptedQueuePool"


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What the process says on standard error, which is left as it was found."""
    root, filtered = logging.getLogger(), [logging.getLogger(name) for name in (GRPC, POOL)]
    handlers, level, filters = root.handlers[:], root.level, [logger.filters[:] for logger in filtered]
    said = StringIO()
    monkeypatch.setattr("sys.stderr", said)
    telemetry.configure("test")
    yield said
    root.handlers[:] = handlers
    root.setLevel(level)
    for logger, before in zip(filtered, filters, strict=True):
        logger.filters[:] = before
    structlog.reset_defaults()


def say(logger: str, error: BaseException) -> None:
    try:
        raise error
    except type(error):
        logging.getLogger(logger).exception("It went wrong in [%s]", "/a.Service/Rpc")


@pytest.mark.parametrize(
    ("logger", "error", "level"),
    [
        (GRPC, ExecuteBatchError('Failed "execute_batch"'), "info"),
        (POOL, CancelledError(), "info"),
        (POOL, OSError("connection lost"), "warning"),
    ],
)
def test_one_who_went_away_is_one_line_without_a_traceback(
    heard: StringIO, logger: str, error: BaseException, level: str
) -> None:
    say(logger, error)
    line = read(heard)
    assert line["level"] == level
    assert line["event"] == f"It went wrong in [/a.Service/Rpc]: {type(error).__name__}"
    assert "exception" not in line


def test_another_error_in_grpc_is_told_with_its_traceback(heard: StringIO) -> None:
    say(GRPC, ValueError("a mistake of ours"))
    line = read(heard)
    assert line["level"] == "error"
    assert "a mistake of ours" in line["exception"]


def read(heard: StringIO) -> dict[str, Any]:
    (line,) = heard.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line)
    return found
