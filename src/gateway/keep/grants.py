"""What partners with a rate limit may still be answered without asking, and how much to ask for next."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from gateway.keep.clock import Clock
from gateway.keep.contents import AudienceKey
from gateway.keep.lru import Lru
from gateway.shown import RateLimitLeft
from oncall.v1.partner_service_pb2 import GetStatusPageResponse

AUDIENCES = 50_000
MOST_WANTED = 100_000
GRANT_SECONDS = 1.0
RENEWED_BELOW = 0.3
"""At which share of a grant, of its number or of its time, one of those who come asks for the next one."""


@dataclass(slots=True)
class _Grant:
    """`limit` 0 is no limit; times are of `Clock.elapsed`."""

    limit: int = 0
    remaining: int = 0
    granted: int = 0
    left: int = 0
    reset_at: float = 0.0
    valid_until: float = float("-inf")


@dataclass(slots=True)
class _Pace:
    """How many were answered in the second that goes on, and in the one before."""

    second: int = 0
    now: int = 0
    before: int = 0


@dataclass(slots=True)
class _Known:
    grant: _Grant = field(default_factory=_Grant)
    older: _Grant = field(default_factory=_Grant)
    renewing_until: float = float("-inf")
    pace: _Pace = field(default_factory=_Pace)
    asked: bool = False


class Grants:
    """Grants by audience; without one that the server gave, nothing is granted."""

    def __init__(self, clock: Clock, limit: int = AUDIENCES) -> None:
        self._elapsed = clock.elapsed
        self._known: Lru[AudienceKey, _Known] = Lru(limit)

    def given(self, audience: AudienceKey, answer: GetStatusPageResponse, sent: float) -> None:
        """Takes over what an answer grants, counted from when it was asked for."""
        known = self._of(audience)
        known.asked = True
        if not answer.HasField("rate_limit"):
            known.grant = known.older = _Grant()
            return
        limit = answer.rate_limit
        reset_at = sent + limit.reset_after.ToTimedelta().total_seconds()
        known.older, known.renewing_until = known.grant, float("-inf")
        known.grant = _Grant(limit.limit, limit.remaining, limit.granted, limit.granted, reset_at, sent + GRANT_SECONDS)

    def take(self, audience: AudienceKey) -> bool:
        """Uses one up; False where the server has to be asked."""
        known = self._known.get(audience)
        if known is None or not known.asked:
            return False
        if known.grant.limit:
            usable = self._usable(known)
            if not usable:
                return False
            usable[0].left -= 1
        return True

    def renews(self, audience: AudienceKey) -> bool:
        """Whether whoever comes now shall ask for the next grant, while the others use what is left of this one."""
        known = self._known.get(audience)
        if known is None or not known.grant.granted:
            return False
        now, grant = self._elapsed(), known.grant
        if now < known.renewing_until or now >= grant.valid_until:
            return False
        fresh = now < grant.valid_until - RENEWED_BELOW * GRANT_SECONDS
        if fresh and grant.left >= RENEWED_BELOW * grant.granted:
            return False
        known.renewing_until = now + GRANT_SECONDS
        return True

    def answered(self, audience: AudienceKey) -> None:
        """Counts an answer, whoever made it, for the pace."""
        pace, second = self._of(audience).pace, int(self._elapsed())
        if second != pace.second:
            pace.before = pace.now if second == pace.second + 1 else 0
            pace.second, pace.now = second, 0
        pace.now += 1

    def wanted(self, audience: AudienceKey, waiting: int) -> int:
        """Answers how many to ask for: those who wait, or as many as lately came in a second."""
        known = self._known.get(audience)
        if known is None:
            return min(waiting, MOST_WANTED)
        pace = known.pace
        lately = max(pace.now, pace.before) if int(self._elapsed()) - pace.second <= 1 else 0
        return min(max(waiting, lately), MOST_WANTED)

    def left(self, audience: AudienceKey) -> RateLimitLeft | None:
        """Answers what to tell the client; unset where there is no limit."""
        known = self._known.get(audience)
        if known is None or not known.grant.limit:
            return None
        grant = known.grant
        granted = sum(one.left for one in self._usable(known))
        reset_seconds = max(0, math.ceil(grant.reset_at - self._elapsed()))
        return RateLimitLeft(grant.limit, grant.remaining + granted, reset_seconds)

    def _usable(self, known: _Known) -> list[_Grant]:
        """Answers what may still be used, the older first: what was granted has been taken from the rate already."""
        now = self._elapsed()
        return [one for one in (known.older, known.grant) if one.left and now < one.valid_until]

    def _of(self, audience: AudienceKey) -> _Known:
        known = self._known.get(audience)
        if known is None:
            self._known.put(audience, known := _Known())
        return known
