"""Where the time of an Execute goes, by the times that its own log carries: nothing is traced for it.

Client, server, executor and PostgreSQL of a measured stack share one machine, and so one clock.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from oncall.v1.execution_pb2 import ExecutionEvent, ExecutionStatus
from tests.bench.report import Samples

CALLED = "call → runbook read (RPC, authentication, read)"
STORED = "→ being stored (parameters, statement)"
CLAIMED = "→ claimed (store, commit, ring, taskiq)"
READ = "→ output read (claim's answer, sandbox, script)"
SEEN = "→ first byte at the client (store, publish, RPC)"
FIRST = "beside it: call → first event at the client"
STEPS = (CALLED, STORED, CLAIMED, READ, SEEN, FIRST)


class Steps:
    """Samples for each step, from the events of executions."""

    def __init__(self) -> None:
        self.samples = {name: Samples(name) for name in STEPS}

    async def timed(self, events: AsyncIterator[ExecutionEvent]) -> float:
        """Reads a log to its end and answers the seconds to the first byte of output."""
        called = time.time()
        times: dict[str, float] = {}
        seen = 0.0
        async for event in events:
            now = time.time()
            if event.sequence == 1:
                times = {CALLED: _seconds(event.execution.created_at), STORED: _seconds(event.time)}
                self._note(FIRST, now - called)
            elif event.execution.status == ExecutionStatus.EXECUTION_STATUS_RUNNING:
                times[CLAIMED] = _seconds(event.execution.started_at)
            elif event.HasField("output") and not seen:
                seen = now
                times |= {READ: _seconds(event.time), SEEN: now}
        before = called
        for name, at in times.items():
            self._note(name, at - before)
            before = at
        return seen - called

    def without(self, first: int) -> list[Samples]:
        """Answers the samples but the `first` ones, by which everything has warmed up."""
        return [Samples(sample.name, sample.seconds[first:]) for sample in self.samples.values()]

    def _note(self, name: str, seconds: float) -> None:
        self.samples[name].seconds.append(seconds)


def _seconds(at: Timestamp | datetime) -> float:
    return at.timestamp() if isinstance(at, datetime) else at.seconds + at.nanos / 1e9
