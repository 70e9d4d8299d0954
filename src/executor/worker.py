"""The worker: hears rings, claims, runs attempts in slots, and lets them end in order."""

from __future__ import annotations

import asyncio
from uuid import UUID

import structlog
from structlog.contextvars import bound_contextvars

from executor.attempt import Attempt, AttemptContext
from executor.leases import LeaseKeeper
from executor.record import STORES_AT_ONCE, LeaseLost, Publisher, Recorder
from kernel import lifecycle
from kernel.database import Sessions, is_disconnect, single_statements
from kernel.execution.tags import Tags
from kernel.lifecycle import Claim

log = structlog.get_logger()

CANCEL_SECONDS = 5.0
"""What a sandbox needs to be gone, and a connection that does not answer to be given up."""


class Unrecorded(Exception):
    """The executor ends, and what became of so many executions could not be written down."""

    def __init__(self, count: int) -> None:
        super().__init__(f"ended without having recorded the end of {count} executions; their leases run out")


class Worker:
    """Runs up to `slots` executions at one time."""

    def __init__(
        self,
        executor_id: str,
        sessions: Sessions,
        publisher: Publisher,
        leases: LeaseKeeper,
        context: AttemptContext,
        *,
        slots: int,
        tags: Tags,
    ) -> None:
        self._executor_id = executor_id
        self._sessions = sessions
        self._publisher = publisher
        self._leases = leases
        self._context = context
        self._tags = tags
        self._attempts: set[Attempt] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._storing = asyncio.Semaphore(STORES_AT_ONCE)
        self._slot = asyncio.Semaphore(slots)
        self._draining = False
        self._drained = False

    async def answer(self, execution_id: UUID) -> None:
        """Answers a ring: claims the execution and runs it to its end. That there is nothing to claim is usual.

        Claim and attempt are a task of their own: whoever awaits this may be cancelled, the script may not.
        """
        await self._slot.acquire()
        if self._draining:  # the sweep rings again, for another executor to hear
            self._slot.release()
            return
        task = asyncio.create_task(self._claim_and_run(execution_id), name=f"execution {execution_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait({task})  # that `drain` cancels it is no error of this caller's, to be logged as one
        if not task.cancelled():
            task.result()

    async def drain(self, seconds: float, *, end_within: float) -> None:
        """Lets running scripts end by themselves for `seconds`, then ends them as lost with this executor.

        What waits for a slot gets none any more. Ends that cannot be recorded `end_within` seconds later, because the
        database is away or hangs, are left to the sweep: Unrecorded, when their sandboxes are gone.
        """
        self._draining = True
        if not self._tasks:
            return
        log.info("draining", running=len(self._tasks), seconds=seconds)
        await asyncio.wait(set(self._tasks), timeout=seconds)
        self._drained = True
        for attempt in self._attempts:
            attempt.drain()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=end_within)
        if unrecorded := set(self._tasks):
            for task in unrecorded:
                task.cancel()
            await asyncio.wait(unrecorded, timeout=CANCEL_SECONDS)
            raise Unrecorded(len(unrecorded))

    async def _claim_and_run(self, execution_id: UUID) -> None:
        try:
            claimed_at = asyncio.get_running_loop().time()
            claim = await self._claim(execution_id)
            if claim is not None:
                await self._run(claim, claimed_at)
        finally:
            self._slot.release()

    async def _claim(self, execution_id: UUID) -> Claim | None:
        try:
            async with single_statements(self._sessions) as session:
                return await lifecycle.claim(
                    session, execution_id, self._executor_id, lease=self._leases.length, tags=self._tags
                )
        except Exception as error:
            if not is_disconnect(error):
                raise
            # Whether it was claimed is unknown; then its lease runs out and the sweep decides.
            log.warning("claim_failed", execution_id=str(execution_id), error=type(error).__name__)
            return None

    async def _run(self, claim: Claim, claimed_at: float) -> None:
        lease = self._leases.lease(claim.execution_id, claim.epoch, claimed_at=claimed_at)
        recorder = Recorder(self._sessions, self._publisher, claim, storing=self._storing, patience=lease.patience)
        attempt = Attempt(claim, recorder, lease, self._context)
        self._attempts.add(attempt)
        self._leases.hold(lease, attempt)
        with bound_contextvars(execution_id=str(claim.execution_id), epoch=claim.epoch, attempt=claim.attempt):
            if self._drained:  # the claim was under way when the time was up
                attempt.drain()
            try:
                recorder.announce()
                await attempt.run()
                await recorder.announced()
            except LeaseLost:
                log.warning("attempt_lost")
            except Exception:
                # The lease is not renewed any more, so the sweep ends the attempt as lost.
                log.exception("attempt_broken")
            finally:
                self._leases.release(lease)
                self._attempts.remove(attempt)
