"""How long what has ended is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


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
