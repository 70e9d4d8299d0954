"""How long the gateway may answer without asking: while the server tells it of changes, and knows that it does."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.keep.clock import Clock


class Lease:
    """The validity of the watch.

    `epoch` grows with each new stream: what was asked for before one began may miss changes that no stream told, and
    counts for nothing until the server has said it again.
    """

    def __init__(self, clock: Clock, grace_seconds: float = 0.0) -> None:
        self._clock = clock
        self._grace = grace_seconds
        self._until = float("-inf")
        self.epoch = 0
        self.held_at: datetime | None = None
        """When this epoch's watch was last known to hold, by the time of day."""

    def opened(self) -> None:
        """A stream tells all changes from now on; nothing is believed before the first renewal."""
        self.epoch += 1
        self.held_at = None
        self._until = float("-inf")

    def renewed(self, sent: float, seconds: float) -> None:
        """`sent` is read off `elapsed` before the renewal was sent: the server may have counted from any time since."""
        self._until = max(self._until, sent + seconds)
        self.held_at = self._clock.now() - timedelta(seconds=max(0.0, self._clock.elapsed() - sent))

    def lost(self) -> None:
        """The stream is down: what is kept is believed for the grace that is configured, and never beyond the lease."""
        self._until = min(self._until, self._clock.elapsed() + self._grace)

    def holds(self) -> bool:
        return self.holds_at(self._clock.elapsed())

    def holds_at(self, elapsed: float) -> bool:
        return elapsed < self._until
