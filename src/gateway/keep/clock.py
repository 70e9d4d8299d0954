"""The two clocks that the keep goes by, passed in so that tests hold them still."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

_now = partial(datetime.now, UTC)
_elapsed = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
"""Seconds that also pass while the machine is suspended: a watch ends for a sleeping gateway as for any other."""


class Instant(NamedTuple):
    """What both clocks said at once."""

    now: datetime
    elapsed: float


@dataclass(frozen=True, slots=True)
class Clock:
    """`now` is the time of day, to compare with the server's; `elapsed` never steps, for what lasts so many seconds."""

    now: Callable[[], datetime] = _now
    elapsed: Callable[[], float] = _elapsed

    def instant(self) -> Instant:
        return Instant(self.now(), self.elapsed())
