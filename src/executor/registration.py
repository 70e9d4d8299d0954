"""This executor's row in the registry: who it is, what it carries, how busy it is.

The row is a notice for people and for whoever rings; no script depends on it. It is written with each renewal of the
leases, so that whoever is silent here is silent there, too.
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
from kernel.database import Sessions, is_disconnect, transaction
from kernel.execution.tags import Tags
from kernel.tables import executors

log = structlog.get_logger()

NOTICE_SECONDS = 2.0
"""How long start and end of an executor wait for a database that does not answer."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What an executor tells of itself once."""

    executor_id: str
    tags: Tags
    concurrency: int
    isolation: Sequence[Layer]
    lease: timedelta


class Registration:
    """Keeps the row of one executor; where the database is away, the next renewal writes it."""

    def __init__(self, sessions: Sessions, offer: Offer) -> None:
        self._sessions = sessions
        self._lease = offer.lease
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
        await self._briefly(lambda session: self.renew(session, running=0))

    async def renew(self, session: AsyncSession, *, running: int) -> None:
        """Says within the caller's transaction that this executor lives, and how many executions it runs."""
        changing = {
            "running": running,
            "seen_at": func.now(),
            "lease_expires_at": func.now() + self._lease,
            "stopping": self._stopping,
        }
        row = insert(executors).values(**self._fixed, **changing, started_at=func.now())
        await session.execute(row.on_conflict_do_update(index_elements=["id"], set_=changing))

    async def stop(self, *, running: int) -> None:
        """Says that it takes no new work."""
        self._stopping = True
        await self._briefly(lambda session: self.renew(session, running=running))

    async def end(self) -> None:
        """Takes the row away; one that stays is shown as lost, and swept."""
        await self._briefly(self._remove)

    async def _remove(self, session: AsyncSession) -> None:
        await session.execute(delete(executors).where(executors.c.id == self._fixed["id"]))

    async def _briefly(self, write: Callable[[AsyncSession], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(NOTICE_SECONDS), transaction(self._sessions) as tx:
                await write(tx.session)
        except Exception as error:
            if not is_disconnect(error):
                raise
            log.warning("registration_failed", error=type(error).__name__)


def _as_told(layer: Layer) -> dict[str, object]:
    told = asdict(layer)
    del told["advice"]  # for who runs the machine: its log and `oncall doctor` have it
    return told
