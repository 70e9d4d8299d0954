"""What partners with a rate limit may still be answered without asking, and how much to ask for next."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from gateway.keep.contents import AudienceKey
from gateway.keep.lru import Lru
from gateway.shown import RateLimitLeft
from oncall.v1.partner_service_pb2 import GetStatusPageResponse

AUDIENCES = 50_000
MOST_WANTED = 100_000
GRANT_SECONDS = 1.0
LEAST_WANTED_A_MINUTE = 600
"""A grant that is not used is lost to the partner: at most a tenth of the rate, for who asks once a second."""
RENEWED_BELOW = 0.5
"""At which share of what is granted, of its number or of its time, one of those who come asks for the next grant.

What is left of the one has to last until a server that is busy has answered about the other.
"""


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
class Allowance:
    """The grants of one audience; without one that the server gave, nothing is granted. `now` is `Clock.elapsed`."""

    _grant: _Grant = field(default_factory=_Grant)
    _older: _Grant = field(default_factory=_Grant)
    _renewing_until: float = float("-inf")
    _due_below: float = 0.0
    _handed_on: bool = False
    _pace: _Pace = field(default_factory=_Pace)
    _asked: bool = False

    def given(self, answer: GetStatusPageResponse, sent: float) -> None:
        """Takes over what an answer grants, counted from when it was asked for."""
        self._asked = True
        if not answer.HasField("rate_limit"):
            self._grant = self._older = _Grant()
            return
        limit = answer.rate_limit
        reset_at = sent + limit.reset_after.ToTimedelta().total_seconds()
        self._older, self._renewing_until, self._handed_on = self._grant, float("-inf"), False
        self._grant = _Grant(limit.limit, limit.remaining, limit.granted, limit.granted, reset_at, sent + GRANT_SECONDS)
        self._due_below = RENEWED_BELOW * self._usable(sent)

    def take(self, now: float) -> bool:
        """Uses one up, of the older grant first; False where the server has to be asked."""
        if not self._grant.limit:
            return self._asked
        for grant in (self._older, self._grant):
            if grant.left and now < grant.valid_until:
                grant.left -= 1
                return True
        return False

    def renews(self, now: float, *, asks: bool = True) -> bool:
        """Whether whoever comes now shall ask for the next grant, while the others use what is left of this one.

        Who does not ask is let go for the way on which one does, and the first who comes by that one shall.
        """
        if asks and self._handed_on:
            self._handed_on = False
            return True
        grant = self._grant
        if not grant.granted or now < self._renewing_until or now >= grant.valid_until:
            return False
        fresh = now < grant.valid_until - RENEWED_BELOW * GRANT_SECONDS
        if fresh and self._usable(now) >= self._due_below:
            return False
        self._renewing_until, self._handed_on = now + GRANT_SECONDS, not asks
        return True

    def answered(self, now: float) -> None:
        """Counts an answer, whoever made it, for the pace."""
        pace, second = self._pace, int(now)
        if second != pace.second:
            pace.before = pace.now if second == pace.second + 1 else 0
            pace.second, pace.now = second, 0
        pace.now += 1

    def wanted(self, waiting: int, now: float) -> int:
        """Answers how many to ask for: those who wait, or what is missing for as many as lately came in a second.

        It is at least a small part of a rate, or many who begin to ask wait for one small grant after another.
        """
        pace = self._pace
        lately = max(pace.now, pace.before) if int(now) - pace.second <= 1 else 0
        missing = lately - self._usable(now)
        return min(max(waiting, missing, self._grant.limit // LEAST_WANTED_A_MINUTE), MOST_WANTED)

    def left(self, now: float) -> RateLimitLeft | None:
        """Answers what to tell the client; unset where there is no limit.

        What was granted has been taken from the rate already, and may still be used while it is valid.
        """
        grant = self._grant
        if not grant.limit:
            return None
        return RateLimitLeft(grant.limit, grant.remaining + self._usable(now), max(0, math.ceil(grant.reset_at - now)))

    def _usable(self, now: float) -> int:
        grant, older = self._grant, self._older
        left = grant.left if now < grant.valid_until else 0
        return left + older.left if now < older.valid_until else left


class Grants:
    """Allowances by audience."""

    def __init__(self, limit: int = AUDIENCES) -> None:
        self._known: Lru[AudienceKey, Allowance] = Lru(limit)

    def of(self, audience: AudienceKey) -> Allowance:
        known = self._known.get(audience)
        if known is None:
            self._known.put(audience, known := Allowance())
        return known
