"""Accesses of partners, as they are counted: by client and token; only time tells one client's sessions apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
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
class Visits:
    """Some accesses of one visitor."""

    first_at: datetime
    last_at: datetime
    count: int = 1

    def and_then(self, later: Visits) -> Visits:
        return replace(self, last_at=max(self.last_at, later.last_at), count=self.count + later.count)
