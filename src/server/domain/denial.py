"""Which denied attempts get a row of the audit each, and which are summed up in one.

A caller who is denied in a loop must neither fill the table nor hide in it. So the first few denials of a minute, by
the same caller to the same RPC about the same team, have a row each; the rest of that minute share one row, which says
how many they were. All who show a bad credential count as one caller, for anybody can make up as many as they like.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

WINDOW = timedelta(minutes=1)
MOST_ROWS = 5
MOST_WINDOWS = 10_000
"""Beyond it, callers share one window: memory stays bounded, and nothing goes uncounted."""


@dataclass(frozen=True, slots=True)
class Denial:
    """What somebody was refused; `actor_id` is None where nobody could be told."""

    actor_id: UUID | None
    method: str
    reason: str
    resource_type: str
    resource_id: str
    team_id: UUID | None = None
    peer: str = ""
    request_id: str = ""


@dataclass(slots=True)
class _Window:
    ends_at: datetime
    rows: int = 0
    summed: int = 0
    last: Denial | None = None


_Key = tuple[UUID, str, UUID | None] | None


class DenialLimit:
    """The windows of one process."""

    def __init__(self) -> None:
        self._windows: dict[_Key, _Window] = {}

    def admits(self, denial: Denial, now: datetime) -> bool:
        """Whether `denial` gets a row of its own; where not, it is counted."""
        window = self._window(denial, now)
        if window.rows < MOST_ROWS:
            window.rows += 1
            return True
        window.summed += 1
        window.last = denial
        return False

    def ended(self, now: datetime | None) -> list[tuple[Denial, int]]:
        """Forgets the windows that have ended (None: all), and answers the last denial of each and how many it sums."""
        over = {key: window for key, window in self._windows.items() if now is None or window.ends_at <= now}
        for key in over:
            del self._windows[key]
        return [(window.last, window.summed) for window in over.values() if window.last]

    @property
    def counting(self) -> bool:
        """Whether any window has denials that no row tells of yet."""
        return any(window.summed for window in self._windows.values())

    def _window(self, denial: Denial, now: datetime) -> _Window:
        key: _Key = (denial.actor_id, denial.method, denial.team_id) if denial.actor_id else None
        if key not in self._windows and len(self._windows) >= MOST_WINDOWS:
            self._windows = {k: w for k, w in self._windows.items() if w.summed or w.ends_at > now}
            key = key if len(self._windows) < MOST_WINDOWS else None
        # One that has ended and is full stays until its sum has been written.
        window = self._windows.get(key)
        if window is None or (window.ends_at <= now and not window.summed):
            window = self._windows[key] = _Window(now + WINDOW)
        return window
