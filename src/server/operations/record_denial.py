"""Records denied attempts, each in a transaction of its own: what was refused changed nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from kernel.audit import AuditEntry, append
from kernel.database import transaction
from server.domain.denial import WINDOW, Denial, DenialLimit
from server.operations.environment import Environment

log = structlog.get_logger()

FLUSH_SECONDS = 3.0


class DenialRecord:
    """Writes the rows of denials; one task writes the sums, for as long as there are any."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._limit = DenialLimit()
        self._writes: set[asyncio.Task[None]] = set()
        self._summing: asyncio.Task[None] | None = None

    async def note(self, denial: Denial) -> None:
        """Returns once the row is committed, or the denial counted. Where the row cannot be written, the log has it."""
        if self._limit.admits(denial, self._env.now()):
            # A caller who hangs up at once must not escape it.
            write = asyncio.create_task(self._store([(denial, 1)]))
            self._writes.add(write)
            write.add_done_callback(self._writes.discard)
            await asyncio.shield(write)
        elif self._summing is None:
            self._summing = asyncio.create_task(self._sum_up())

    async def flush(self, within: float = FLUSH_SECONDS) -> None:
        """Writes what has only been counted so far; gives up after `within` seconds."""
        if self._summing is not None:
            self._summing.cancel()
            self._summing = None
        rest = asyncio.create_task(self._store(self._limit.ended(None)))
        await asyncio.wait([rest, *self._writes], timeout=within)

    async def _sum_up(self) -> None:
        while self._limit.counting:
            await asyncio.sleep(WINDOW.total_seconds())
            await self._store(self._limit.ended(self._env.now()))
        self._summing = None

    async def _store(self, denials: Sequence[tuple[Denial, int]]) -> None:
        try:
            async with transaction(self._env.sessions) as tx:
                for denial, count in denials:
                    await append(tx.session, _entry(denial, count))
        except Exception as error:  # noqa: BLE001 - the refusal stands, whether it can be written down or not
            for denial, count in denials:
                log.error(
                    "denial_not_recorded",
                    error=type(error).__name__,
                    caller_id=str(denial.actor_id or ""),
                    method=denial.method,
                    reason=denial.reason,
                    count=count,
                )


def _entry(denial: Denial, count: int) -> AuditEntry:
    detail: dict[str, str | int | bool | None] = {"method": denial.method, "reason": denial.reason}
    if count > 1:
        detail["count"] = count
    return AuditEntry(
        action=f"{denial.resource_type}.denied",
        resource_id=denial.resource_id,
        team_id=denial.team_id,
        actor_id=denial.actor_id,
        detail=detail,
        peer=denial.peer,
        request_id=denial.request_id,
        denied=True,
    )
