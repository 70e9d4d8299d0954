"""One lease, as its executor knows it: until when a script may run, and who ends it in time."""

from __future__ import annotations

import asyncio
from uuid import UUID

from executor.sandbox.switch import Switch

LEAST_MARGIN_SECONDS = 1.0
MOST_MARGIN_SECONDS = 5.0
MARGINS_PER_LEASE = 6


def margin(lease_seconds: float) -> float:
    """Answers how many seconds before the end of a lease its sandbox is killed; at half of them, if this process did
    not come to it, another one does it."""
    return min(max(LEAST_MARGIN_SECONDS, lease_seconds / MARGINS_PER_LEASE), MOST_MARGIN_SECONDS)


class Lease:
    """What one claim gives: the right to run a script, for as long as it is renewed."""

    def __init__(self, execution_id: UUID, epoch: int, seconds: float, switch: Switch, *, claimed_at: float) -> None:
        self.execution_id = execution_id
        self.epoch = epoch
        self._seconds = seconds
        self._margin = margin(seconds)
        self._good_until = claimed_at + seconds  # by this process's monotonic clock
        self._switch = switch
        self._armed: int | None = None
        self._lost = False

    @property
    def given_up_at(self) -> float:
        """By the loop's clock, when its sandbox is killed unless it is renewed before."""
        return self._good_until - self._margin

    @property
    def killed(self) -> bool:
        """Whether the switch killed its sandbox, for this process stood still too long."""
        return self._armed is not None and self._switch.fired(self._armed)

    def patience(self) -> float:
        """Answers for how many seconds it is still good, less the margin; negative once it is not."""
        return -1.0 if self._lost else self.given_up_at - asyncio.get_running_loop().time()

    def guard(self, first_fd: int) -> None:
        """Has the sandbox killed in time also while this process stands still; `first_fd`: a pidfd of its first one."""
        self.over()  # a sandbox that stood ready may have refused the script
        self._armed = self._switch.arm(first_fd, self._good_until - self._margin / 2)

    def renewed(self, asked_at: float) -> None:
        """It is good again for its whole length; `asked_at` is the loop's time before that was asked for."""
        self._good_until = asked_at + self._seconds
        if self._armed is not None:
            self._switch.extend(self._armed, self._good_until - self._margin / 2)

    def lose(self) -> None:
        """It is not good any more. The sandbox stays guarded until it is gone."""
        self._lost = True

    def over(self) -> None:
        """Its sandbox is gone, or there was none."""
        if self._armed is not None:
            self._switch.disarm(self._armed)
            self._armed = None
