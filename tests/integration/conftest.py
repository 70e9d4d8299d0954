"""Executors over a real database, a real Redis and real sandboxes; executions are put into the database directly."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from executor.settings import ExecutorSettings
from kernel import event_log
from kernel.database import Sessions, create_engine, sessions, transaction
from kernel.execution.content import ScriptLanguage, VersionContent
from kernel.execution.event import Event, Output, OutputStream
from kernel.execution.status import ExecutionStatus
from kernel.ids import new_id
from kernel.queue import Doorbell, execution_queue
from kernel.tables import executions, runbook_versions, runbooks, teams, users
from tests.executors import an_executor, settings_of
from tests.integration.edge import Edge, an_edge
from tests.waiting import eventually


@dataclass(frozen=True, slots=True)
class Platform:
    """A database and a doorbell, with what a test does to them."""

    sessions: Sessions
    doorbell: Doorbell
    database_url: str
    redis_url: str

    async def an_execution(
        self, script: str, language: ScriptLanguage = ScriptLanguage.BASH, *, digest: str | None = None, **rest: Any
    ) -> UUID:
        """Stores a PENDING execution of an approved version; `rest` is the version's content, or `parameters`."""
        parameters = rest.pop("parameter_values", {})
        sealed = rest.pop("sealed", None)
        content = VersionContent(script, language, **rest)
        user, team, runbook, execution = (new_id() for _ in range(4))
        at = {"created_at": _now()}
        async with transaction(self.sessions) as tx:
            for statement in (
                insert(users).values(id=user, email=f"{user}@example.org", display_name="Somebody", **at),
                insert(teams).values(id=team, name=str(team), **at),
                insert(runbooks).values(
                    id=runbook,
                    team_id=team,
                    name="runbook",
                    status="APPROVED",
                    current_version=1,
                    latest_version=1,
                    created_by=user,
                    updated_at=_now(),
                    **at,
                ),
                insert(runbook_versions).values(
                    runbook_id=runbook,
                    version=1,
                    script=script,
                    settings=content.to_json(),
                    digest=content.digest(),
                    created_by=user,
                    **at,
                ),
                insert(executions).values(
                    id=execution,
                    runbook_id=runbook,
                    version=1,
                    team_id=team,
                    digest=digest or content.digest(),
                    trigger="MANUAL",
                    triggered_by=user,
                    parameters=parameters,
                    sealed_parameters=None if sealed is None else sealed(execution),
                    max_attempts=1 + content.max_retries,
                    concurrency=content.concurrency,
                    required_tags=list(content.executor_tags),
                    status="PENDING",
                    **at,
                ),
            ):
                await tx.session.execute(statement)
            await event_log.append_state(tx.session, execution, {"status": "PENDING", "attempt": 0})
        return execution

    async def run(self, script: str, language: ScriptLanguage = ScriptLanguage.BASH, **rest: Any) -> Record:
        """Runs a script to its end."""
        execution = await self.an_execution(script, language, **rest)
        await self.doorbell.ring(execution)
        return await self.end_of(execution)

    async def row(self, execution: UUID) -> Record:
        async with self.sessions() as session:
            row = (await session.execute(select(executions).where(executions.c.id == execution))).one()
        return Record(row, await self.events(execution))

    async def events(self, execution: UUID) -> list[Event]:
        events: list[Event] = []
        async with self.sessions() as session:
            while page := await event_log.read_after(session, execution, events[-1].sequence if events else 0):
                events += page
        return events

    async def status(self, execution: UUID) -> ExecutionStatus:
        async with self.sessions() as session:
            return ExecutionStatus(
                await session.scalar(select(executions.c.status).where(executions.c.id == execution))
            )

    async def end_of(self, execution: UUID, *, within: float = 30.0) -> Record:
        async def ended() -> bool:
            return (await self.status(execution)).ended

        await eventually(ended, within=within)
        return await self.row(execution)

    async def output_of(self, execution: UUID, wanted: bytes, *, within: float = 10.0) -> None:
        """Waits until the script has written `wanted`."""

        async def written() -> bool:
            return wanted in (await self.row(execution)).stdout

        await eventually(written, within=within)


class Record:
    """An execution as it is stored, with its log."""

    def __init__(self, row: Any, events: list[Event]) -> None:
        self.events = events
        self._row = row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, name)

    def bytes_of(self, stream: OutputStream, attempt: int | None = None) -> bytes:
        chunks = [e.payload for e in self.events if isinstance(e.payload, Output) and e.payload.stream is stream]
        return b"".join(c.data for c in chunks if attempt in (None, c.attempt))

    @property
    def stdout(self) -> bytes:
        return self.bytes_of(OutputStream.STDOUT)

    @property
    def stderr(self) -> bytes:
        return self.bytes_of(OutputStream.STDERR)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database_url, pool_size=5)
    yield engine
    await engine.dispose()


@pytest.fixture
async def platform(engine: AsyncEngine, database_url: str, redis_url: str) -> AsyncIterator[Platform]:
    queue = execution_queue(redis_url)
    yield Platform(sessions(engine), Doorbell(queue), database_url, redis_url)
    await queue.shutdown()


@pytest.fixture
def executor_settings(platform: Platform) -> ExecutorSettings:
    return settings_of(platform.database_url, platform.redis_url)


@pytest.fixture
async def executor(platform: Platform, executor_settings: ExecutorSettings) -> AsyncIterator[None]:
    """One executor in this process, for as long as the test lasts."""
    async with an_executor(executor_settings):
        yield


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    async with an_edge() as serving:
        yield serving
