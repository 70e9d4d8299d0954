"""What there is besides the rows: executors with what they believe, sandboxes, rings, and messages that were not heard.

An executor here has one slot. It may die (its sandbox dies with it), be frozen while time goes on (SIGSTOP, a paused
machine: its script runs on) and wake. Everything that it asks of PostgreSQL is a message: it may be lost on the way,
its answer may be lost, and one whose asker has given up may still be carried out later.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from kernel.execution.status import ExecutionStatus
from tests.unit.kernel.protocol.rows import Row


class Mode(IntEnum):
    UP = 0
    FROZEN = 1
    DEAD = 2


class Phase(IntEnum):
    CLAIMED = 0
    ALIVE = 1
    OVER = 2
    """The script has ended or was killed; its end is to be recorded."""


class Message(NamedTuple):
    """Something that an executor asked of PostgreSQL: `claim`, `renew`, `append` or `finish`."""

    kind: str
    execution: int
    epoch: int = 0
    sequence: int = 0
    outcome: str = ""
    age: int = 0
    """Ticks since it was sent, as its sender counts them: what a lease is good for is counted from then."""
    answer: tuple[bool | int, ...] | None = None
    """What PostgreSQL answered, once it was carried out."""


class Held(NamedTuple):
    """What an executor believes to hold."""

    execution: int
    epoch: int
    patience: int
    """Ticks until it must have killed its sandbox."""
    next_sequence: int
    phase: Phase = Phase.CLAIMED
    wrote: bool = False
    stop: bool = False
    outcome: str = ""
    renewal: Message | None = None
    call: Message | None = None
    overslept: bool = False
    """It was frozen past the moment at which it had to kill: the one case in which a script may outlive its lease."""


class Executor(NamedTuple):
    mode: Mode = Mode.UP
    claiming: Message | None = None
    held: Held | None = None

    @property
    def alive(self) -> bool:
        return self.held is not None and self.held.phase is Phase.ALIVE


class World(NamedTuple):
    rows: tuple[Row, ...]
    rings: tuple[bool, ...]
    executors: tuple[Executor, ...]
    strays: tuple[Message, ...] = ()
    starts: tuple[int, ...] = ()
    """How often a script was started, by execution."""

    def with_row(self, index: int, row: Row) -> World:
        return self._replace(rows=(*self.rows[:index], row, *self.rows[index + 1 :]))

    def with_ring(self, index: int, ring: bool) -> World:
        return self._replace(rings=(*self.rings[:index], ring, *self.rings[index + 1 :]))

    def with_executor(self, index: int, executor: Executor) -> World:
        return self._replace(executors=(*self.executors[:index], executor, *self.executors[index + 1 :]))

    @property
    def over(self) -> bool:
        """Every execution has ended, and no script is left."""
        return all(row.status.ended for row in self.rows) and not any(e.alive for e in self.executors)


def outcome_of(message: Message) -> ExecutionStatus:
    return ExecutionStatus(message.outcome)
