"""This executor's row in the registry: who it is, what it carries, how busy it is.

The row is a notice for people and for whoever rings; no script depends on it. It is written as often as leases are
renewed, and held for lost after the same time.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from importlib.metadata import version

import structlog
from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from executor.sandbox.survey import Layer
from kernel.database import Sessions, transaction
from kernel.execution.tags import Tags
from kernel.tables import executors

log = structlog.get_logger()

NOTICE_SECONDS = 2.0
"""How long a notice may take; start and end of an executor wait for it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What an executor tells of itself once."""

    executor_id: str
    tags: Tags
    concurrency: int
    isolation: Sequence[Layer]
    lease: timedelta


class Registration:
    """Keeps the row of one executor; `running` says how many executions it runs. What cannot be written is left out.

    Nothing of it is in the way of a script: renewals of leases wait for none of this, and whatever fails is logged.
    """

    def __init__(self, sessions: Sessions, offer: Offer, running: Callable[[], int]) -> None:
        self._sessions = sessions
        self._lease = offer.lease
        self._running = running
        self._stopping = False
        self._fixed = {
            "id": offer.executor_id,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": version("oncall-platform"),
            "tags": list(offer.tags),
            "concurrency": offer.concurrency,
            "isolation": [_as_told(layer) for layer in offer.isolation],
        }

    async def begin(self) -> None:
        """Makes it known that this executor takes work."""
        await self._briefly(self._tell)

    async def run(self) -> None:
        """Tells three times per lease that it lives, and how busy it is. Ends when cancelled."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            await self._briefly(self._tell)

    async def stop(self) -> None:
        """Says that it takes no new work."""
        self._stopping = True
        await self._briefly(self._tell)

    async def end(self) -> None:
        """Takes the row away; one that stays is shown as lost, and swept."""
        await self._briefly(self._remove)

    async def _tell(self, session: AsyncSession) -> None:
        changing = {
            "running": self._running(),
            "seen_at": func.now(),
            "lease_expires_at": func.now() + self._lease,
            "stopping": self._stopping,
        }
        row = insert(executors).values(**self._fixed, **changing, started_at=func.now())
        await session.execute(row.on_conflict_do_update(index_elements=["id"], set_=changing))

    async def _remove(self, session: AsyncSession) -> None:
        await session.execute(delete(executors).where(executors.c.id == self._fixed["id"]))

    async def _briefly(self, write: Callable[[AsyncSession], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(NOTICE_SECONDS), transaction(self._sessions) as tx:
                await write(tx.session)
        except Exception as error:  # noqa: BLE001 - a notice: scripts must run and end in order without it
            log.warning("registration_failed", error=type(error).__name__)


def _as_told(layer: Layer) -> dict[str, object]:
    told = asdict(layer)
    del told["advice"]  # for who runs the machine: its log and `oncall doctor` have it
    return told
