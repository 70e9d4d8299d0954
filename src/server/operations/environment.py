"""What every operation works with. Clock and ids are parts of it, so that a test can hold them still."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from kernel.database import Sessions
from kernel.ids import new_id
from server.domain.page import Pager


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Environment:
    sessions: Sessions
    pager: Pager
    now: Callable[[], datetime] = _now
    new_id: Callable[[], UUID] = new_id
