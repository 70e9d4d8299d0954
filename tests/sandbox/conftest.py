"""One executor for all attacks of a module: what an attack breaks, the attacks after it show."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from cli.launcher.embedded_postgres import EmbeddedPostgres
from cli.launcher.embedded_redis import EmbeddedRedis
from kernel.database import create_engine, sessions
from kernel.execution.status import ExecutionStatus
from kernel.queue import Doorbell, execution_queue
from tests.conftest import empty_database, empty_redis
from tests.executors import an_executor, settings_of
from tests.integration.conftest import Platform, Record
from tests.sandbox.attack import Attack
from tests.sandbox.outside import CANARY_SECRET, Outside, baited
from tests.sandbox.starts import Start, Starts, watched_starts
from tests.waiting import PATIENCE, eventually


@dataclass(frozen=True, slots=True)
class Range:
    """Where attacks are run: the real executor, with baits around it."""

    platform: Platform
    outside: Outside
    starts: Starts

    async def suffer(self, attack: Attack, start: Start) -> Record:
        """Runs an attack and looks from outside at what it did; answers how it ended."""
        before = self.outside.state()
        execution, done = await self._run(attack, start, attack.timeout_seconds)
        if b"begun" not in done.stdout:  # a machine that stood still may have used up its time
            execution, done = await self._run(attack, start, 10 * attack.timeout_seconds)
        assert self.starts.of(execution) is start

        assert b"ESCAPED" not in done.stdout, done.stdout
        assert CANARY_SECRET.encode() not in done.stdout + done.stderr
        assert b"begun" in done.stdout, done.stderr
        if attack.to_its_end:
            assert done.status == ExecutionStatus.COMPLETED, done.stdout + done.stderr
            assert b"tried" in done.stdout, done.stderr

        async def nothing_left() -> bool:
            return not self.outside.left_of(execution)

        await eventually(nothing_left)
        assert self.outside.connections() == []
        assert self.outside.state() == before
        return done

    async def _run(self, attack: Attack, start: Start, seconds: int) -> tuple[UUID, Record]:
        """Runs an attack to its end, for so many seconds at most."""
        limits = await self.starts.limits_for(start, attack.limits, self.platform)
        execution = await self.platform.an_execution(
            attack.text(),
            attack.language,
            limits=limits,
            timeout_seconds=seconds * PATIENCE,
            parameter_values=self.outside.targets(),
        )
        await self.platform.doorbell.ring(execution)
        return execution, await self.platform.end_of(execution, within=seconds + 30)


@pytest.fixture(scope="module")
def services(postgres: EmbeddedPostgres, redis_server: EmbeddedRedis) -> Iterator[tuple[str, str]]:
    """The URLs of a database and a Redis that this module has for itself."""
    with empty_database(postgres) as database_url:
        yield database_url, empty_redis(redis_server)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(services: tuple[str, str]) -> AsyncIterator[Platform]:
    database_url, redis_url = services
    engine, queue = create_engine(database_url, pool_size=5), execution_queue(redis_url)
    yield Platform(sessions(engine), Doorbell(queue), database_url, redis_url)
    await queue.shutdown()
    await engine.dispose()


@pytest.fixture(scope="module")
def bait_folder(services_folder: Path) -> Iterator[Path]:
    """A folder that nothing but the sandbox keeps a script from."""
    services_folder.chmod(services_folder.stat().st_mode | 0o001)
    folder = services_folder / "bait"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    yield folder
    for path in folder.iterdir():
        path.unlink()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def attacked(platform: Platform, bait_folder: Path) -> AsyncIterator[Range]:
    settings = settings_of(platform.database_url, platform.redis_url)
    with baited(bait_folder, settings) as outside, watched_starts() as starts:
        async with an_executor(settings):
            yield Range(platform, outside, starts)
