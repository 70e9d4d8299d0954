"""`python -m executor`: runs executions until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import structlog
import uvloop
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from executor import task
from executor.identity import new_executor_id
from executor.leases import LeaseKeeper
from executor.record import Publisher
from executor.sandbox.cgroup import CgroupRoot, open_root
from executor.sandbox.isolation import prove
from executor.sandbox.process import SandboxError
from executor.settings import ExecutorSettings
from executor.worker import SandboxChoices, Worker
from kernel import log_stream, telemetry
from kernel.cipher import Cipher
from kernel.database import create_engine, sessions
from kernel.queue import execution_queue
from kernel.settings import fail, load, write_ready_file

log = structlog.get_logger()


def main() -> None:
    settings = load(ExecutorSettings)
    telemetry.configure("executor", settings.log_format)
    try:
        cipher = Cipher(settings.master_key.get_secret_value())
    except ValueError as error:
        fail(f"cannot start: ONCALL_MASTER_KEY: {error}")
    uvloop.run(serve(settings, cipher))


async def serve(settings: ExecutorSettings, cipher: Cipher) -> None:
    """Runs until the first SIGTERM or SIGINT; then lets running scripts end, and gives everything back."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    executor_id = new_executor_id()
    users = _users(settings)
    with _cgroups(executor_id) as cgroups:
        engine = create_engine(settings.database_url.get_secret_value(), pool_size=settings.executor_concurrency + 2)
        redis_url = settings.redis_url.get_secret_value()
        redis, queue = log_stream.connect(redis_url), execution_queue(redis_url)
        await _check(engine, redis, cgroups, users)
        make_session = sessions(engine)
        leases = LeaseKeeper(make_session, executor_id, lease_seconds=settings.lease_seconds)
        worker = Worker(
            executor_id,
            make_session,
            Publisher(redis),
            leases,
            SandboxChoices(cgroups, cipher, users, settings.output_cap, settings.kill_grace_seconds),
            slots=settings.executor_concurrency,
            now=lambda: datetime.now(UTC),
        )
        task.register(queue, worker.answer)
        keepers = [asyncio.create_task(leases.run()), asyncio.create_task(leases.listen(redis))]
        hearing = asyncio.create_task(task.hear(queue, stop, slots=settings.executor_concurrency))
        log.info("ready", executor_id=executor_id, slots=settings.executor_concurrency, cgroups=cgroups.controllers)
        write_ready_file(settings.ready_file, {})
        # None of these ends by itself: one that does has failed, and the supervisor's restart is the remedy.
        await asyncio.wait({hearing, *keepers}, return_when=asyncio.FIRST_COMPLETED)
        stopping = stop.is_set()
        await worker.drain(settings.drain_seconds if stopping else 0.0)
        results = await _cancel_all([hearing, *keepers])
        await queue.shutdown()
        await redis.aclose()
        await engine.dispose()
    for result in results:
        if isinstance(result, Exception):
            raise result
    log.info("stopped", executor_id=executor_id)


async def _check(engine: AsyncEngine, redis: Redis, cgroups: CgroupRoot, users: range | None) -> None:
    """Ends the process with one sentence where something is missing that no work could be done without."""
    try:
        await prove(cgroups, users[0] if users else None)
    except SandboxError as error:
        fail(f"cannot start: no script can be isolated on this machine: {error}")
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError) as error:
        fail(f"cannot start: PostgreSQL cannot be used, check ONCALL_DATABASE_URL: {type(error).__name__}")
    try:
        await redis.ping()
    except (RedisError, OSError) as error:
        fail(f"cannot start: Redis cannot be reached, check ONCALL_REDIS_URL: {type(error).__name__}")


def _users(settings: ExecutorSettings) -> range | None:
    """Answers a user id per slot, unlike those of other executors on this machine; None where this one is not root."""
    if os.geteuid() != 0:
        return None
    first = settings.sandbox_uid_base + (os.getpid() % 100_000) * 500
    return range(first, first + settings.executor_concurrency)


@contextlib.contextmanager
def _cgroups(executor_id: str) -> Iterator[CgroupRoot]:
    root = open_root(executor_id)
    try:
        yield root
    finally:
        root.remove()


async def _cancel_all(tasks: Sequence[asyncio.Task[None]]) -> list[BaseException | None]:
    for running in tasks:
        running.cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    main()
