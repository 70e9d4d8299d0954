"""Streams a run of a workflow as it is after every change: read once for all who watch it in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from uuid import UUID

import structlog

from kernel.database import Sessions
from kernel.errors import Unavailable
from kernel.team_stream import Thing
from server.domain.permission import Call, not_found
from server.domain.workflow.record import WorkflowRun
from server.operations import present_role
from server.operations.present_role import PresentRole
from server.operations.team_signals import TeamSignals
from server.storage import workflow_runs

log = structlog.get_logger()

RETRY_SECONDS = 1.0


class _Followed:
    """A run that is watched, as it was last read; None once it is gone."""

    def __init__(self, run: WorkflowRun) -> None:
        self.run: WorkflowRun | None = run
        self.watchers = 0
        self.task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    @property
    def changed(self) -> asyncio.Event:
        """Is set at the next change; take it before looking, so that no change falls in between."""
        return self._changed

    def wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class RunWatches:
    """The runs that are watched in this process."""

    def __init__(self, sessions: Sessions, signals: TeamSignals) -> None:
        self._sessions = sessions
        self._signals = signals
        self._followed: dict[UUID, _Followed] = {}
        self._stopping = False

    @property
    def followed(self) -> int:
        """How many runs are being watched."""
        return len(self._followed)

    def stop(self) -> None:
        """Ends every stream, now and from now on."""
        self._stopping = True
        for followed in self._followed.values():
            followed.wake()

    async def watch(self, call: Call, run: WorkflowRun) -> AsyncGenerator[WorkflowRun, None]:
        """Yields the run, and again after changes, until none can follow; Unavailable when the server stops.

        NotFound once the caller is no longer in the team: a run may wait for days.
        """
        yield run
        if run.settled:
            return
        seen = run.revision
        role = PresentRole(self._sessions, call, run.team_id, "workflow run")
        followed = self._enter(run)
        try:
            while True:
                await role.now()
                if self._stopping:
                    raise Unavailable("the server is stopping; watch again", reason="SERVER_STOPPING")
                changed, now = followed.changed, followed.run
                if now is None:
                    raise not_found("workflow run")
                if now.revision > seen:
                    seen = now.revision
                    yield now
                    if now.settled:
                        return
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout(present_role.CHECK_SECONDS):
                        await changed.wait()
        finally:
            self._leave(run.id, followed)

    def _enter(self, run: WorkflowRun) -> _Followed:
        followed = self._followed.get(run.id)
        if followed is None:
            followed = self._followed[run.id] = _Followed(run)
            followed.task = asyncio.create_task(self._follow(run.id, run.team_id, followed))
        followed.watchers += 1
        return followed

    def _leave(self, run_id: UUID, followed: _Followed) -> None:
        followed.watchers -= 1
        if followed.watchers == 0:
            if followed.task is not None:
                followed.task.cancel()
            del self._followed[run_id]

    async def _follow(self, run_id: UUID, team_id: UUID, followed: _Followed) -> None:
        """Reads the run whenever it has changed, or may have."""
        look = True  # at once: what changed since it was first read, nobody has heard
        with self._signals.follow(team_id) as listener:
            while followed.run is not None and not followed.run.settled:
                if look:
                    try:
                        await self._look(run_id, followed)
                    except Exception as error:  # noqa: BLE001 - whatever keeps PostgreSQL away, the next round asks again
                        log.warning("run_not_read", run_id=str(run_id), error=type(error).__name__)
                        await asyncio.sleep(RETRY_SECONDS)
                        continue
                changed, missed = await listener.next()
                look = missed or (Thing.WORKFLOW_RUN, run_id) in changed

    async def _look(self, run_id: UUID, followed: _Followed) -> None:
        async with self._sessions() as session:
            followed.run = await workflow_runs.find(session, run_id)
        followed.wake()
