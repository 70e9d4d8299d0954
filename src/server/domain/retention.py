"""How long what has ended is kept, and how short that may be made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from server.domain.page_day import DAYS

LEAST_STATUS_DAYS = LEAST_EVENT_DAYS = DAYS + 10
"""What a page tells of its days reaches back `DAYS` dates of its time zone, up to a day more than that many times 24 h;
the rest is for clocks that differ and for a zone that is changed."""
LEAST_TOKEN_DAYS = 30
"""Far longer than anybody goes by what was decided about a token: a gateway five minutes, a session 12 hours."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Ages, counted from the end of an execution or the arrival of a request id; None means for ever."""

    logs: timedelta | None
    executions: timedelta | None
    request_ids: timedelta | None

    @classmethod
    def of_days(cls, *, logs: int, executions: int, request_ids: int) -> Retention:
        """Answers the retention of settings, in which 0 means for ever."""
        return cls(*(timedelta(days=days) if days else None for days in (logs, executions, request_ids)))

    @property
    def of_any_log(self) -> timedelta | None:
        """When a log expires: with the execution at the latest, for it goes before its execution does."""
        return min((age for age in (self.logs, self.executions) if age is not None), default=None)
