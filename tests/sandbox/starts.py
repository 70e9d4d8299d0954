"""Whether a sandbox stood ready for its script or is set up for it: chosen before an attack, looked at after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from executor import wiring
from executor.sandbox import pool
from executor.sandbox.command import Job
from executor.sandbox.pool import Sandboxes
from executor.sandbox.standing import shape_of
from kernel.execution.content import ResourceLimits
from tests.integration.conftest import Platform
from tests.waiting import eventually

DISK_STEP = 4096
_numbers = count(1)


class Start(StrEnum):
    """How a sandbox comes to its script."""

    WARM = "warm"
    COLD = "cold"


@dataclass(frozen=True, slots=True)
class Starts:
    """The sandboxes of the executors that were made in the block of `watched_starts`."""

    made: list[Sandboxes] = field(default_factory=list)
    set_up: list[str] = field(default_factory=list)
    """The names of those that were set up for their script."""

    async def limits_for(self, start: Start, limits: ResourceLimits, platform: Platform) -> ResourceLimits:
        """Waits until a script with these limits will find what `start` says; answers limits that make sure of it."""
        if start is Start.COLD:  # nobody has asked for a disk of just this size yet, so none stands with one
            return replace(limits, disk_bytes=limits.disk_bytes + DISK_STEP * next(_numbers))
        sandboxes = self.made[-1]
        shape = shape_of(limits, sandboxes._cgroups)

        async def one_stands() -> bool:
            return any(standing.shape == shape for standing in sandboxes.standing)

        if shape not in sandboxes._wanted:  # what was asked for last is what is kept ready
            await platform.run("true", limits=limits)
        await eventually(one_stands, within=30)
        return limits

    def of(self, execution: UUID) -> Start:
        """Answers how the sandbox of an execution came to it."""
        return Start.COLD if any(name.startswith(f"{execution}-") for name in self.set_up) else Start.WARM


@contextmanager
def watched_starts() -> Iterator[Starts]:
    """Watches every sandbox that is set up in this process, from within the one place that does."""
    starts, start = Starts(), pool.process.start

    async def set_up(job: Job, **rest: Any) -> Any:
        starts.set_up.append(rest["name"])
        return await start(job, **rest)

    def made(*arguments: Any, **rest: Any) -> Sandboxes:
        starts.made.append(Sandboxes(*arguments, **rest))
        return starts.made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool.process, "start", set_up)
        patch.setattr(wiring, "Sandboxes", made)
        yield starts
