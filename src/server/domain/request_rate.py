"""How often somebody may ask: a bucket that holds a minute's worth and fills steadily."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

MOST_BUCKETS = 10_000
"""Beyond it the bucket that was unused longest is forgotten, and so full again."""


@dataclass(frozen=True, slots=True)
class _Bucket:
    left: float
    at: datetime


class RequestRates:
    """The buckets of one process."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[UUID, _Bucket] = OrderedDict()

    def wait(self, who: UUID, per_minute: int, now: datetime) -> float | None:
        """Takes one request out of `who`'s bucket; where it is empty, answers the seconds until there is one again."""
        per_second = per_minute / 60
        bucket = self._buckets.get(who, _Bucket(per_minute, now))
        gained = max(0.0, (now - bucket.at).total_seconds()) * per_second
        left = min(per_minute, bucket.left + gained)
        allowed = left >= 1
        self._buckets[who] = _Bucket(left - 1 if allowed else left, now)
        self._buckets.move_to_end(who)
        if len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return None if allowed else (1 - left) / per_second
