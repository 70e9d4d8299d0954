"""Judges one execution by its log, replayed after everything: what the platform promised, and what came of it.

Pure: it is given the log, the marks and what clients saw, and answers sentences about what must not be.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from oncall.v1.execution_pb2 import (
    EXECUTION_STATUS_CANCELLED,
    EXECUTION_STATUS_COMPLETED,
    EXECUTION_STATUS_FAILED,
    EXECUTION_STATUS_PENDING,
    EXECUTION_STATUS_RUNNING,
    EXECUTION_STATUS_TIMEOUT,
    OUTPUT_STREAM_STDERR,
    OUTPUT_STREAM_STDOUT,
    Execution,
    ExecutionEvent,
    ExecutionStatus,
)
from tests.chaos.fleet import OUTPUT_CAP
from tests.chaos.load import Placed, mark_of
from tests.chaos.scripts import Kind, exit_code_of, output_of

ENDED = {
    EXECUTION_STATUS_COMPLETED,
    EXECUTION_STATUS_FAILED,
    EXECUTION_STATUS_CANCELLED,
    EXECUTION_STATUS_TIMEOUT,
}
ERRORS = {"", "EXECUTOR_LOST", "CANCELLED", "TIME_LIMIT"}
"""Why an attempt of this load may not complete; anything else is the platform's own failure."""


@dataclass(slots=True)
class Attempt:
    """What the log holds of one attempt."""

    number: int
    began: Execution
    output: dict[int, bytearray] = field(
        default_factory=lambda: {OUTPUT_STREAM_STDOUT: bytearray(), OUTPUT_STREAM_STDERR: bytearray()}
    )
    truncated: set[int] = field(default_factory=set)
    ended: Execution | None = None


@dataclass(slots=True)
class Judged:
    """One execution and what was found."""

    status: ExecutionStatus
    attempts: list[Attempt]
    verified_bytes: int
    violations: list[str]

    @property
    def lost_attempts(self) -> int:
        return sum(a.ended is not None and a.ended.error.code == "EXECUTOR_LOST" for a in self.attempts)


def judge(placed: Placed, log: Sequence[ExecutionEvent], marks: Counter[tuple[str, int]]) -> Judged:
    attempts: list[Attempt] = []
    violations = [*_of_the_sequence(log), *_read_attempts(log, attempts)]
    for attempt in attempts:
        violations += _of_an_attempt(placed, attempt)
    violations += _of_the_marks(placed, log, attempts, marks)
    violations += _of_the_end(placed, log, attempts)
    violations += _of_what_was_seen(placed, log)
    verified = sum(len(data) for attempt in attempts for data in attempt.output.values())
    status = log[-1].execution.status if log else EXECUTION_STATUS_PENDING
    return Judged(status, attempts, verified, violations)


def _of_the_sequence(log: Sequence[ExecutionEvent]) -> Iterator[str]:
    if [event.sequence for event in log] != list(range(1, len(log) + 1)):
        yield "its sequence has holes, or comes twice"
    if not log or log[0].execution.status != EXECUTION_STATUS_PENDING:
        yield "its log does not begin with its acceptance"
    elif log[-1].execution.status not in ENDED:
        yield f"it has not ended: its log ends with {log[-1].WhichOneof('event')}"
    if any(event.execution.status in ENDED for event in log[:-1]):
        yield "its log goes on after its end"


def _read_attempts(log: Sequence[ExecutionEvent], attempts: list[Attempt]) -> Iterator[str]:
    """Reads the attempts into `attempts`; yields what is not where it belongs."""
    running: Attempt | None = None
    for event in log[1:]:
        if event.HasField("execution"):
            if event.execution.status == EXECUTION_STATUS_RUNNING:
                if running is not None:
                    yield f"attempt {event.execution.attempt} began before the one before it had ended"
                if event.execution.HasField("cancel_requested_at"):
                    yield f"attempt {event.execution.attempt} began after somebody had cancelled it"
                running = Attempt(event.execution.attempt, event.execution)
                attempts.append(running)
            elif running is not None:
                running.ended, running = event.execution, None
        elif running is None:
            yield f"event {event.sequence} is output, and no attempt runs"
        elif event.HasField("output"):
            yield from _read_chunk(event, running)
        else:
            running.truncated.add(event.truncated.stream)


def _read_chunk(event: ExecutionEvent, running: Attempt) -> Iterator[str]:
    chunk = event.output
    data = running.output[chunk.stream]
    if chunk.attempt != running.number:
        yield f"event {event.sequence} is of attempt {chunk.attempt} while attempt {running.number} runs"
    if chunk.offset != len(data):
        yield f"event {event.sequence} begins at byte {chunk.offset} where byte {len(data)} is due"
    data += chunk.data


def _of_an_attempt(placed: Placed, attempt: Attempt) -> Iterator[str]:
    ended, name = attempt.ended, f"attempt {attempt.number}"
    if ended is None:
        yield f"{name} has no end"
        return
    if ended.error.code not in ERRORS:
        yield f"{name} failed with {ended.error.code}: {ended.error.message}"
    by_itself = ended.HasField("exit_code")
    if by_itself and ended.exit_code != exit_code_of(placed.order, attempt.number):
        yield f"{name} ended with exit code {ended.exit_code}"
    streams = (
        ("stdout", OUTPUT_STREAM_STDOUT, ended.stdout_size, ended.stdout_sha256),
        ("stderr", OUTPUT_STREAM_STDERR, ended.stderr_size, ended.stderr_sha256),
    )
    for (stream, number, size, sha256), written in zip(streams, output_of(placed.order, attempt.number), strict=True):
        kept = bytes(attempt.output[number])
        for problem in _of_a_stream(kept, size, sha256, written, cut=number in attempt.truncated, whole=by_itself):
            yield f"{name}: {stream} {problem}"


def _of_a_stream(kept: bytes, size: int, sha256: str, written: bytes, *, cut: bool, whole: bool) -> Iterator[str]:
    """`written` is what the script writes if nothing disturbs it; `whole` says that nothing did."""
    if not written.startswith(kept):
        yield "holds what the script did not write"
    if whole and kept != written[:OUTPUT_CAP]:
        yield f"holds {len(kept)} of {len(written)} bytes, though the script ended by itself"
    if cut:
        if len(kept) != OUTPUT_CAP:
            yield f"was cut after {len(kept)} bytes, and the cap is {OUTPUT_CAP}"
        if whole and (size, sha256) != (len(written), hashlib.sha256(written).hexdigest()):
            yield "was cut, and the record is not of all that was written"
    elif (size, sha256) != (len(kept), hashlib.sha256(kept).hexdigest()):
        yield f"is recorded with {size} bytes and hash {sha256[:8]}, and the log has {len(kept)} others"


def _of_the_marks(
    placed: Placed, log: Sequence[ExecutionEvent], attempts: Sequence[Attempt], marks: Counter[tuple[str, int]]
) -> Iterator[str]:
    execution_id = log[0].execution.id if log else ""
    known = {attempt.number: attempt for attempt in attempts}
    heard = {attempt: times for (id_, attempt), times in marks.items() if id_ == execution_id}
    for attempt, times in heard.items():
        if times > 1:
            yield f"attempt {attempt} was started {times} times"
        if attempt not in known:
            yield f"a script left a mark as attempt {attempt}, and there is no such attempt"
    if sum(heard.values()) > len(attempts):
        yield f"scripts were started {sum(heard.values())} times, in {len(attempts)} attempts"
    for number, attempt in known.items():
        done = attempt.ended is not None and attempt.ended.HasField("exit_code")
        if placed.order.kind is Kind.MARK and done and number not in heard:
            yield f"attempt {number} is said to have run to its end and left no mark"


def _of_the_end(placed: Placed, log: Sequence[ExecutionEvent], attempts: Sequence[Attempt]) -> Iterator[str]:
    if not log:
        return
    last = log[-1].execution
    if [attempt.number for attempt in attempts] != list(range(1, last.attempt + 1)):
        yield f"its log has the attempts {[attempt.number for attempt in attempts]}, its record {last.attempt}"
    if len(attempts) > 1 + placed.order.max_retries or last.max_attempts != 1 + placed.order.max_retries:
        yield f"it had {len(attempts)} attempts of {last.max_attempts}, with {placed.order.max_retries} retries allowed"
    if placed.cancelled and last.status not in {EXECUTION_STATUS_CANCELLED, EXECUTION_STATUS_COMPLETED}:
        yield f"it ended {ExecutionStatus.Name(last.status)} after somebody was told that it is cancelled"
    if not placed.cancelled and placed.order.cancel_after is None and last.status == EXECUTION_STATUS_CANCELLED:
        yield "it ended cancelled, and nobody asked for that"
    retried = last.status in {EXECUTION_STATUS_FAILED, EXECUTION_STATUS_TIMEOUT}
    if retried and last.attempt < last.max_attempts:
        yield f"it ended {ExecutionStatus.Name(last.status)} with attempts left"


def _of_what_was_seen(placed: Placed, log: Sequence[ExecutionEvent]) -> Iterator[str]:
    replayed = [mark_of(event) for event in log]
    for seen in placed.seen:
        due = replayed[seen.after :]
        if seen.marks != due[: len(seen.marks)]:
            yield f"a client that watched from after {seen.after} saw another log than the replayed one"
        elif seen.to_the_end and len(seen.marks) != len(due):
            yield f"a client that watched to the end saw {len(seen.marks)} of {len(due)} events"
