"""How often somebody may ask: one count for all servers in Redis; where that is down or slow, one in this process.

The counting is that of the library `limits`: a sliding window of two counters, so that a minute's worth cannot be had
twice around the turn of a minute, and the memory for it does not grow with the rate.
"""

from __future__ import annotations

import asyncio
import math
import time
from ipaddress import IPv6Address, IPv6Network
from typing import Any
from uuid import UUID

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import Redis

from kernel.errors import Allowance, ResourceExhausted
from server.domain.allowlist import Address

PATIENCE_SECONDS = 0.15
"""How long Redis may take over one request."""
AGAIN_AFTER_SECONDS = 1.0
"""How long Redis is left alone once it was down or slow."""
GRANTS_A_MINUTE = 60
"""A grant is to be used within a second, and is so at most the 60th part of a rate."""

log = structlog.get_logger()


class RequestRates:
    """The rates of partners, and of bad credentials from an address."""

    def __init__(self, redis: Redis, failures_per_minute: int) -> None:
        self._shared = SlidingWindowCounterRateLimiter(_storage(redis))
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._failures = RateLimitItemPerMinute(failures_per_minute)
        self._shared_again_at = 0.0
        self._is_out = False

    async def take(self, partner_id: UUID, per_minute: int, wanted_grant: int) -> Allowance:
        """Takes one request and up to `wanted_grant` more; raises where there is not one left."""
        item = RateLimitItemPerMinute(per_minute)
        grant = min(wanted_grant, per_minute // GRANTS_A_MINUTE)
        allowance, taken = await self._hit(item, "partner", str(partner_id), costs=(1 + grant, 1) if grant else (1,))
        if not taken:
            raise ResourceExhausted(
                "this partner asks too often",
                retry_after_seconds=max(allowance.reset_after_seconds, 60 / per_minute, 0.001),
                allowance=allowance,
            )
        return allowance

    async def count_failure(self, client: Address) -> None:
        """Counts a bad credential; raises where there were too many from that address, or from its /64 of IPv6."""
        allowance, taken = await self._hit(self._failures, "failure", str(_who(client)), costs=(1,))
        if not taken:
            raise ResourceExhausted(
                "too many bad credentials from this address",
                retry_after_seconds=max(allowance.reset_after_seconds, 1.0),
            )

    async def _hit(self, item: RateLimitItemPerMinute, *who: str, costs: tuple[int, ...]) -> tuple[Allowance, bool]:
        if time.monotonic() >= self._shared_again_at:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    found = await _take(self._shared, item, *who, costs=costs)
            except Exception as error:  # noqa: BLE001 - Redis may be away in many ways, and none of them may be in the way
                self._shared_again_at = time.monotonic() + AGAIN_AFTER_SECONDS
                if not self._is_out:
                    log.warning("rates_counted_alone", error=type(error).__name__)
                self._is_out = True
            else:
                if self._is_out:
                    log.info("rates_counted_together")
                self._is_out = False
                return found
        return await _take(self._own, item, *who, costs=costs)


async def _take(
    limiter: SlidingWindowCounterRateLimiter, item: RateLimitItemPerMinute, *who: str, costs: tuple[int, ...]
) -> tuple[Allowance, bool]:
    """Takes the first of `costs` that is left; answers what is left then, and whether anything was taken."""
    taken = 0
    for cost in costs:
        if await limiter.hit(item, *who, cost=cost):
            taken = cost
            break
    left, reset = await _left(limiter, item, *who)
    return Allowance(item.amount, left, reset, max(0, taken - 1)), taken > 0


async def _left(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItemPerMinute, *who: str) -> tuple[int, float]:
    """Answers what is left, and after how many seconds there is more.

    As `get_window_stats` of the library, but for the moment at which a window begins: there that says “at once”.
    """
    storage: Any = limiter.storage
    minute = item.get_expiry()
    before, before_lasts, current, current_lasts = await storage.get_sliding_window(item.key_for(*who), minute)
    left = max(0, item.amount - math.floor(before * before_lasts / minute + current))
    until_turn = max(0.0, current_lasts - minute) if current else math.inf
    until_one_less = before_lasts % (minute / before) if before else math.inf
    reset = min(until_turn, until_one_less)
    return left, reset if math.isfinite(reset) else 0.0


def _who(client: Address) -> object:
    return IPv6Network((client, 64), strict=False) if isinstance(client, IPv6Address) else client


def _storage(redis: Redis) -> RedisStorage:
    # The pool is what counts; of the address only the kind is looked at.
    pool: Any = redis.connection_pool
    return RedisStorage("async+redis://", implementation="redispy", key_prefix="oncall:rate", connection_pool=pool)
