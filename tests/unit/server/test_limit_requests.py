"""How requests are counted: what is granted, whose failures are one client's, and that who waits is let in."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from uuid import UUID

import pytest
from redis.asyncio import Redis

from kernel.errors import ResourceExhausted
from server.domain import allowlist
from server.operations.limit_requests import RequestRates

PARTNER, OTHER = UUID(int=1), UUID(int=2)
NOON = 1_800_000_000.0  # a whole minute


@dataclass
class Clock:
    now: float = NOON


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Holds the time of day still, which is what the library counts by."""
    held = Clock()
    monkeypatch.setattr(time, "time", lambda: held.now)
    return held


@pytest.fixture
def rates() -> RequestRates:
    """Rates of a process whose Redis is away, and that has just found out."""
    alone = RequestRates(Redis(), failures_per_minute=3)
    alone._shared_again_at = math.inf
    return alone


async def taken(rates: RequestRates, per_minute: int) -> tuple[int, float]:
    """Takes all there is; answers how much that was, and after how long there is said to be more."""
    for times in range(per_minute + 1):
        try:
            await rates.take(PARTNER, per_minute, 0)
        except ResourceExhausted as refused:
            return times, refused.retry_after_seconds
    raise AssertionError("more than the rate was let in")


async def test_a_used_allowance_is_never_said_to_come_back_at_once(rates: RequestRates, clock: Clock) -> None:
    assert (await rates.take(PARTNER, 60, 0)).reset_after_seconds == 60
    clock.now += 45
    assert (await rates.take(PARTNER, 60, 0)).reset_after_seconds == pytest.approx(15)


async def test_what_is_granted_is_taken_with_the_request(rates: RequestRates, clock: Clock) -> None:
    assert clock.now == NOON
    for wanted, granted, left in ((0, 0, 599), (1000, 10, 588), (3, 3, 584)):
        allowance = await rates.take(PARTNER, 600, wanted)
        assert (allowance.limit, allowance.granted, allowance.remaining) == (600, granted, left)
    assert (await rates.take(OTHER, 600, 0)).remaining == 599
    assert (await rates.take(OTHER, 59, 1000)).granted == 0  # less than one a second


async def test_who_has_less_left_than_a_grant_gets_the_request_alone(rates: RequestRates, clock: Clock) -> None:
    assert clock.now == NOON
    for _ in range(59):
        assert (await rates.take(PARTNER, 120, 1)).granted == 1
    assert (await rates.take(PARTNER, 120, 0)).remaining == 1
    last = await rates.take(PARTNER, 120, 2)
    assert (last.granted, last.remaining) == (0, 0)
    with pytest.raises(ResourceExhausted) as refused:
        await rates.take(PARTNER, 120, 0)
    assert refused.value.allowance is not None
    assert (refused.value.allowance.limit, refused.value.allowance.remaining) == (120, 0)


@pytest.mark.parametrize("per_minute", [1, 2, 7, 60, 1000])
@pytest.mark.parametrize("began", [0.0, 0.25, 31.7, 59.999])
async def test_who_waits_as_long_as_they_are_told_is_let_in(
    rates: RequestRates, clock: Clock, per_minute: int, began: float
) -> None:
    clock.now += began
    for _ in range(5):
        let_in, wait = await taken(rates, per_minute)
        assert 1 <= let_in <= per_minute
        assert 0 < wait <= 60
        clock.now += wait + 0.001


async def test_a_minutes_worth_cannot_be_had_twice_around_the_turn_of_a_minute(
    rates: RequestRates, clock: Clock
) -> None:
    clock.now += 59
    for _ in range(100):
        await rates.take(PARTNER, 100, 0)
    clock.now += 2
    let_in, _ = await taken(rates, 100)
    assert let_in <= 2


@pytest.mark.parametrize(
    ("addresses", "other"),
    [
        (("192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"), "192.0.2.2"),
        (("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", "2001:DB8:0:0:1::"), "2001:db8:0:1::1"),
    ],
)
async def test_the_failures_of_one_client_are_counted_together(
    rates: RequestRates, clock: Clock, addresses: tuple[str, ...], other: str
) -> None:
    assert clock.now == NOON
    for address in addresses:
        await rates.count_failure(allowlist.address(address))
    with pytest.raises(ResourceExhausted) as refused:
        await rates.count_failure(allowlist.address(addresses[0]))
    assert refused.value.allowance is None  # which is a partner's, and this is about an address
    assert (refused.value.retry_after_seconds or 0) >= 1
    await rates.count_failure(allowlist.address(other))
