"""How often a partner may ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from server.domain import request_rate
from server.domain.request_rate import RequestRates

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def test_a_minutes_worth_may_come_at_once_and_then_must_wait() -> None:
    rates, partner = RequestRates(), uuid4()
    assert [rates.wait(partner, 2, NOW) for _ in range(2)] == [None, None]
    assert rates.wait(partner, 2, NOW) == pytest.approx(30)


def test_who_waits_as_long_as_told_is_let_in_again() -> None:
    rates, partner = RequestRates(), uuid4()
    rates.wait(partner, 1, NOW)
    wait = rates.wait(partner, 1, NOW)
    assert wait is not None
    assert rates.wait(partner, 1, NOW + timedelta(seconds=wait)) is None


def test_one_partner_does_not_use_up_what_another_may() -> None:
    rates = RequestRates()
    assert rates.wait(uuid4(), 1, NOW) is None
    assert rates.wait(uuid4(), 1, NOW) is None


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_rate, "MOST_BUCKETS", 2)
    rates, first = RequestRates(), uuid4()
    for partner in (first, uuid4(), uuid4()):
        rates.wait(partner, 1, NOW)
    assert rates.wait(first, 1, NOW) is None
