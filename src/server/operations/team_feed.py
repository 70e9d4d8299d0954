"""What goes on in one team, read once for all who watch it in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from itertools import groupby
from typing import TypeAlias
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.database import Sessions
from kernel.execution.status import PENDING, RUNNING
from kernel.team_stream import Thing
from server.domain.execution import Execution
from server.domain.incident import OPEN, Incident
from server.domain.workflow.record import WorkflowRun
from server.domain.workflow.run import RunStatus
from server.operations.team_signals import Listener, TeamSignals
from server.storage import executions, incidents, workflow_runs
from server.storage.executions import ExecutionFilter
from server.storage.incidents import IncidentFilter
from server.storage.workflow_runs import RunFilter

log = structlog.get_logger()

MOST_OF_A_KIND = 500
"""The newest so many of what has not ended in a status are told at the beginning; of all others, when they change."""
MOST_UNTOLD = 10_000
"""Things that are held for one watcher who does not read, besides those that there are when they come."""
RETRY_SECONDS = 1.0
GATHER_SECONDS = 0.05
"""How long changes are gathered before they are looked at: those of one run come close together."""

Key: TypeAlias = "tuple[Thing, UUID]"
Seen: TypeAlias = "Execution | Incident | WorkflowRun"


class Audience:
    """What one watcher has not been told: of each thing the latest, and of not too many."""

    def __init__(self) -> None:
        self.untold: dict[Key, Seen] = {}
        self.most = MOST_UNTOLD
        self.behind = False
        """Whether there was more than is held for one, and so something is missing."""
        self.caught_up = False
        self.told_so = False
        self._event = asyncio.Event()

    def tell(self, news: Mapping[Key, Seen], *, caught_up: bool = False) -> None:
        self.untold.update(news)
        if len(self.untold) > self.most:
            self.behind = True
            self.untold.clear()
        self.caught_up = self.caught_up or caught_up
        self.wake()

    def wake(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
        self._event.clear()


class TeamFeed:
    """One team. `run` it for as long as it has an audience."""

    def __init__(self, sessions: Sessions, signals: TeamSignals, team_id: UUID) -> None:
        self._sessions = sessions
        self._signals = signals
        self._team_id = team_id
        self._going_on: dict[Key, Seen] | None = None
        """What has not ended, as it was last told; None before it was first read."""
        self.audiences: set[Audience] = set()

    def join(self, audience: Audience) -> None:
        self.audiences.add(audience)
        if self._going_on is not None:
            audience.most += len(self._going_on)  # of what there is, nobody is too slow to hear
            audience.tell(self._going_on, caught_up=True)

    async def run(self) -> None:
        """Looks at what is heard, and at everything now and then, until cancelled."""
        with self._signals.follow(self._team_id) as listener:
            changed: set[Key] = set()
            everything = True
            while True:
                try:
                    await self._look(changed, everything=everything)
                except Exception as error:  # noqa: BLE001 - whatever keeps PostgreSQL away, the next round asks again
                    log.warning("team_not_read", team_id=str(self._team_id), error=type(error).__name__)
                    everything = True
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                changed, everything = await _gathered(listener)

    async def _look(self, changed: Collection[Key], *, everything: bool) -> None:
        known = self._going_on or {}
        async with self._sessions() as session:
            found = {key async for key in _active(session, self._team_id)} if everything else set()
            wanted = {*changed, *found, *(known if everything else ())}
            now = {key: seen async for key, seen in _read(session, self._team_id, wanted)}
        news = {key: seen for key, seen in now.items() if known.get(key) != seen}
        self._going_on = {key: seen for key, seen in {**known, **now}.items() if key not in wanted or key in now}
        self._going_on = {key: seen for key, seen in self._going_on.items() if _goes_on(seen)}
        for audience in self.audiences:
            audience.tell(news, caught_up=True)


async def _gathered(listener: Listener) -> tuple[set[Key], bool]:
    changed, everything = await listener.next()
    if not everything:
        await asyncio.sleep(GATHER_SECONDS)
    return changed, everything


async def _active(session: AsyncSession, team_id: UUID) -> AsyncIterator[Key]:
    """Finds what has not ended."""
    only, limit = [team_id], MOST_OF_A_KIND
    for status in (PENDING, RUNNING):
        for execution in await executions.page(session, ExecutionFilter(only, status=status), before=None, limit=limit):
            yield Thing.EXECUTION, execution.id
    for stands in sorted(OPEN):
        for incident in await incidents.page(session, IncidentFilter(only, status=stands), before=None, limit=limit):
            yield Thing.INCIDENT, incident.id
    wanted = RunFilter(only, status=RunStatus.RUNNING)
    for run in await workflow_runs.page(session, wanted, before=None, limit=limit):
        yield Thing.WORKFLOW_RUN, run.id


async def _read(session: AsyncSession, team_id: UUID, wanted: Collection[Key]) -> AsyncIterator[tuple[Key, Seen]]:
    """Reads things of the team, each kind in one go; what is gone or another team's is left out."""
    readers: Mapping[Thing, Callable[[AsyncSession, Collection[UUID]], Awaitable[Sequence[Seen]]]] = {
        Thing.EXECUTION: executions.some,
        Thing.INCIDENT: incidents.some,
        Thing.WORKFLOW_RUN: workflow_runs.some,
    }
    for thing, keys in groupby(sorted(wanted), key=lambda key: key[0]):
        for seen in await readers[thing](session, [thing_id for _, thing_id in keys]):
            if seen.team_id == team_id:
                yield (thing, seen.id), seen


def _goes_on(seen: Seen) -> bool:
    match seen:
        case Incident():
            return seen.status in OPEN
        case _:
            return not seen.status.ended
