"""Accesses of partners, as they are counted: by client and token; only time tells one client's sessions apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

SESSION_ENDS_AFTER = timedelta(minutes=30)
"""Accesses of one client that are further apart belong to two sessions."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """One client of one partner."""

    partner_id: UUID
    token_id: UUID
    token_prefix: str
    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Session:
    """Accesses of one client that follow one another closely."""

    id: UUID
    partner_id: UUID
    address: str
    user_agent: str
    token_prefix: str
    started_at: datetime
    last_active_at: datetime
    access_count: int


@dataclass(frozen=True, slots=True)
class DayOfAccess:
    """How often a partner read on one day, in UTC, with one token, from one address."""

    date: date
    token_prefix: str
    address: str
    first_at: datetime
    last_at: datetime
    access_count: int


@dataclass(frozen=True, slots=True)
class Visits:
    """Some accesses of one visitor."""

    first_at: datetime
    last_at: datetime
    count: int = 1

    def and_then(self, later: Visits) -> Visits:
        return replace(
            self,
            first_at=min(self.first_at, later.first_at),
            last_at=max(self.last_at, later.last_at),
            count=self.count + later.count,
        )
