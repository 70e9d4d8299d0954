"""An executor as it last told of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class ExecutorState(StrEnum):
    READY = "READY"
    STOPPING = "STOPPING"
    LOST = "LOST"


@dataclass(frozen=True, slots=True)
class Executor:
    """One process that runs executions; `isolation` has the layers that its machine can enforce."""

    id: str
    host: str
    pid: int
    version: str
    tags: Sequence[str]
    concurrency: int
    running: int
    isolation: Sequence[Mapping[str, Any]]
    started_at: datetime
    seen_at: datetime
    state: ExecutorState


def state_of(*, in_time: bool, stopping: bool) -> ExecutorState:
    """Answers the state of one that was heard of `in_time`, within its lease, or was not; silence outweighs all."""
    if not in_time:
        return ExecutorState.LOST
    return ExecutorState.STOPPING if stopping else ExecutorState.READY
