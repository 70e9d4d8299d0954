"""The verdict finds what it looks for: a log that is right is changed in one place, and that is said."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable

import pytest

from oncall.v1.execution_pb2 import (
    EXECUTION_STATUS_COMPLETED,
    EXECUTION_STATUS_PENDING,
    EXECUTION_STATUS_RUNNING,
    OUTPUT_STREAM_STDOUT,
    Execution,
    ExecutionEvent,
    OutputChunk,
)
from tests.chaos.load import Placed, Seen, mark_of
from tests.chaos.plan import Order
from tests.chaos.scripts import Kind, output_of
from tests.chaos.verdict import judge

ORDER = Order(0, "request", Kind.MARK, max_retries=0, failures=0, size=0, seconds=0.0)
Log = list[ExecutionEvent]
Marks = Counter[tuple[str, int]]


def _a_log() -> Log:
    written, nothing = output_of(ORDER, 1)[0], hashlib.sha256(b"").hexdigest()
    same = {"id": "execution", "max_attempts": 1}
    return [
        ExecutionEvent(sequence=1, execution=Execution(status=EXECUTION_STATUS_PENDING, **same)),
        ExecutionEvent(sequence=2, execution=Execution(status=EXECUTION_STATUS_RUNNING, attempt=1, **same)),
        ExecutionEvent(sequence=3, output=OutputChunk(stream=OUTPUT_STREAM_STDOUT, data=written[:9], attempt=1)),
        ExecutionEvent(
            sequence=4, output=OutputChunk(stream=OUTPUT_STREAM_STDOUT, data=written[9:], offset=9, attempt=1)
        ),
        ExecutionEvent(
            sequence=5,
            execution=Execution(
                status=EXECUTION_STATUS_COMPLETED,
                attempt=1,
                exit_code=0,
                stdout_size=len(written),
                stdout_sha256=hashlib.sha256(written).hexdigest(),
                stderr_sha256=nothing,
                **same,
            ),
        ),
    ]


def _violations(change: Callable[[Log, Marks, Placed], object]) -> str:
    log, marks, placed = _a_log(), Counter({("execution", 1): 1}), Placed(ORDER, "execution")
    placed.seen = [Seen(0, [mark_of(event) for event in log], to_the_end=True)]
    change(log, marks, placed)
    return "; ".join(judge(placed, log, marks).violations)


def test_a_log_that_is_right_violates_nothing() -> None:
    assert _violations(lambda log, marks, placed: None) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda log, marks, placed: log.pop(3), "holes"),
        (lambda log, marks, placed: log.insert(3, log[2]), "comes twice"),
        (lambda log, marks, placed: log.pop(), "has not ended"),
        (lambda log, marks, placed: setattr(log[3].output, "offset", 8), "begins at byte 8"),
        (lambda log, marks, placed: setattr(log[3].output, "data", b"x"), "did not write"),
        (lambda log, marks, placed: setattr(log[4].execution, "stdout_sha256", "00"), "hash 00"),
        (lambda log, marks, placed: setattr(log[4].execution, "stdout_size", 1), "1 bytes"),
        (lambda log, marks, placed: setattr(log[4].execution, "exit_code", 7), "exit code 7"),
        (lambda log, marks, placed: marks.update({("execution", 1): 1}), "started 2 times"),
        (lambda log, marks, placed: marks.update({("execution", 2): 1}), "no such attempt"),
        (lambda log, marks, placed: marks.clear(), "left no mark"),
        (lambda log, marks, placed: placed.seen[0].marks.pop(), "saw 4 of 5"),
        (lambda log, marks, placed: placed.seen[0].marks.insert(1, b""), "another log"),
    ],
)
def test_whatever_is_wrong_is_said(change: Callable[[Log, Marks, Placed], object], said: str) -> None:
    assert said in _violations(change)
