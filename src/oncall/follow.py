"""How a log is followed over connections that break: what is known so far, and when to try again.

Without I/O, so that the asyncio client and the synchronous command follow by the same rules.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import grpc

from oncall.errors import OncallError
from oncall.v1.execution_pb2 import (
    EXECUTION_STATUS_PENDING,
    EXECUTION_STATUS_RUNNING,
    EXECUTION_STATUS_UNSPECIFIED,
    ExecutionEvent,
)
from oncall.v1.runbook_service_pb2 import ExecuteRequest, WatchExecutionRequest

_GOING_ON = {EXECUTION_STATUS_UNSPECIFIED, EXECUTION_STATUS_PENDING, EXECUTION_STATUS_RUNNING}

FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 5.0
DEFAULT_PATIENCE_SECONDS = 300.0


class Progress:
    """What a follower has of one execution's log, and so how its next call must begin.

    Until the first event tells the execution's id, only Execute with the same request id is safe to repeat; from then
    on WatchExecution continues after the last event.
    """

    def __init__(self, *, execute: ExecuteRequest | None = None, execution_id: str = "", after_sequence: int = 0):
        if execute is not None and not execute.request_id:
            raise ValueError("an Execute without a request id cannot be repeated")
        self._execute = execute
        self.execution_id = execution_id
        self.last_sequence = after_sequence
        self.ended = False

    def next_request(self) -> ExecuteRequest | WatchExecutionRequest:
        """Answers what to call next: Execute with the one, WatchExecution with the other."""
        if self._execute is not None and not self.execution_id:
            return self._execute
        return WatchExecutionRequest(execution_id=self.execution_id, after_sequence=self.last_sequence)

    def accept(self, event: ExecutionEvent) -> bool:
        """Takes note of `event`; False where it is one too many.

        A repeated event is dropped. One that leaves a hole is a transient error: whatever lost those before it,
        asking again from the last good one brings them.
        """
        if event.sequence <= self.last_sequence:
            return False
        if event.sequence != self.last_sequence + 1:
            sentence = f"event {event.sequence} came after event {self.last_sequence}"
            raise OncallError(grpc.StatusCode.UNAVAILABLE, "", sentence)
        self.last_sequence = event.sequence
        if event.HasField("execution"):
            self.execution_id = event.execution.id
            self.ended = event.execution.status not in _GOING_ON
        return True


class Backoff:
    """Delays that grow from 0.1 s to 5 s, halved at most by chance, until `patience` seconds brought no progress."""

    def __init__(
        self,
        patience: float = DEFAULT_PATIENCE_SECONDS,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._patience = patience
        self._clock = clock
        self._jitter = jitter
        self.progressed()

    def progressed(self) -> None:
        """An event arrived: the next break is a new one."""
        self._failures = 0
        self._failing_since: float | None = None

    def next_delay(self) -> float | None:
        """Answers the seconds to wait before the next try; None where it is time to give up."""
        now = self._clock()
        if self._failing_since is None:
            self._failing_since = now
        if now - self._failing_since >= self._patience:
            return None
        delay = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return delay * (0.5 + self._jitter() / 2)
