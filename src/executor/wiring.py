"""The composition root: the one place that puts an executor together, and takes it apart again."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from executor import task
from executor.attempt import AttemptContext
from executor.leases import LeaseKeeper
from executor.record import Publisher
from executor.registration import Offer, Registration
from executor.sandbox.cgroup import CgroupRoot, open_root
from executor.sandbox.isolation import prove
from executor.sandbox.orphans import kill_orphans
from executor.sandbox.pool import SPARE_USERS, Sandboxes
from executor.sandbox.process import SandboxError
from executor.sandbox.survey import Layer, missing, survey
from executor.sandbox.switch import Switch, SwitchError, open_switch
from executor.sandbox.toolbox import Toolbox, ToolboxError, open_toolbox
from executor.settings import ExecutorSettings
from executor.worker import Worker
from kernel import log_stream
from kernel.cipher import Cipher
from kernel.database import create_engine, sessions
from kernel.ending import cancel, close
from kernel.queue import Doorbell, execution_queue

log = structlog.get_logger()

UIDS_PER_EXECUTOR = 1_001  # of the settings, the most that may run and stand


class CannotStart(Exception):
    """Something is missing that no work could be done without; the message is one sentence that says what to do."""


@contextlib.asynccontextmanager
async def running_executor(
    settings: ExecutorSettings, cipher: Cipher, executor_id: str, stop: asyncio.Event
) -> AsyncIterator[asyncio.Task[None]]:
    """Yields a task that hears rings until `stop` is set; CannotStart where it could not.

    At the end of the block running scripts have `drain_seconds` to end, then count as lost with this executor. Where
    that cannot be recorded within the grace and a lease, it is `worker.Unrecorded`.
    """
    users, toolbox = _users(settings), _toolbox(settings)
    redis_url = settings.redis_url.get_secret_value()
    kill_orphans()
    with _cgroups(executor_id) as cgroups, _switch() as switch:
        engine = create_engine(settings.database_url.get_secret_value(), pool_size=settings.executor_concurrency + 2)
        redis, queue = log_stream.connect(redis_url), execution_queue(redis_url, carried=settings.tags())
        try:
            layers = await _check_isolation(settings, cgroups, users, toolbox)
            await _check_services(engine, redis)
            leases = LeaseKeeper(sessions(engine), executor_id, switch, lease_seconds=settings.lease_seconds)
            offer = Offer(executor_id, settings.tags(), settings.executor_concurrency, layers, leases.length)
            registration = Registration(sessions(engine), offer, running=lambda: leases.held)
            sandboxes = Sandboxes(cgroups, users, toolbox, warm=_warm(settings))
            context = AttemptContext(
                sessions=sessions(engine),
                sandboxes=sandboxes,
                cipher=cipher,
                output_cap=settings.output_cap,
                kill_grace_seconds=settings.kill_grace_seconds,
                now=lambda: datetime.now(UTC),
            )
            worker = Worker(
                executor_id,
                sessions(engine),
                Publisher(redis, Doorbell(queue)),
                leases,
                context,
                slots=settings.executor_concurrency,
                tags=settings.tags(),
            )
            task.register(queue, worker.answer)
            await registration.begin()
            keeping, listening = asyncio.create_task(leases.run()), asyncio.create_task(leases.listen(redis))
            warming, guarding = asyncio.create_task(sandboxes.run()), asyncio.create_task(switch.run())
            hearing = asyncio.create_task(task.hear(queue, stop, slots=settings.executor_concurrency))
            registering = asyncio.create_task(registration.run())
            keeping.add_done_callback(lambda _: stop.set())  # it never ends by itself: without it no script is safe
            log.info("ready", executor_id=executor_id, cgroups=cgroups.controllers)
            try:
                yield hearing
            finally:
                async with contextlib.AsyncExitStack() as ending:  # from the last line to the first, whatever fails
                    ending.callback(kill_orphans)  # a monitor may have been making a sandbox when its end began
                    ending.push_async_callback(registration.end)
                    ending.push_async_callback(sandboxes.close)
                    ending.push_async_callback(_end, [hearing, keeping, listening, registering, warming, guarding])
                    within = settings.kill_grace_seconds + settings.lease_seconds
                    ending.push_async_callback(worker.drain, settings.drain_seconds, end_within=within)
                    ending.push_async_callback(registration.stop)
        finally:
            async with contextlib.AsyncExitStack() as ending:
                ending.push_async_callback(lambda: close("postgresql", engine.dispose()))
                ending.push_async_callback(lambda: close("redis", redis.aclose()))
                ending.push_async_callback(lambda: close("queue", queue.shutdown()))


async def _check_isolation(
    settings: ExecutorSettings, cgroups: CgroupRoot, users: range | None, toolbox: Toolbox
) -> Sequence[Layer]:
    """Answers what holds on this machine."""
    user = users[0] if users else None
    try:
        await prove(cgroups, user, toolbox)
        layers = await survey(cgroups, user)
    except SandboxError as error:
        raise CannotStart(f"no script can be isolated on this machine: {error}") from None
    for layer in layers:
        log.info("isolation", layer=layer.name, held=layer.held, by=layer.mechanism, to_do=layer.advice)
    if lacking := missing(layers, settings.required_layers()):
        what = "; ".join(f"{layer.name}: {layer.advice}" for layer in lacking)
        raise CannotStart(f"this machine cannot hold what ONCALL_SANDBOX_REQUIRE names: {what}")
    return layers


async def _check_services(engine: AsyncEngine, redis: Redis) -> None:
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError) as error:
        raise CannotStart(f"PostgreSQL cannot be used, check ONCALL_DATABASE_URL: {type(error).__name__}") from None
    try:
        await redis.ping()
    except (RedisError, OSError) as error:
        raise CannotStart(f"Redis cannot be reached, check ONCALL_REDIS_URL: {type(error).__name__}") from None


def _users(settings: ExecutorSettings) -> range | None:
    """Answers a user id for each sandbox that may run or stand at one time, and one for a sandbox that is replaced.

    Other executors on this machine have others. None where this one is not root.
    """
    if os.geteuid() != 0:
        return None
    first = settings.sandbox_uid_base + (os.getpid() % 100_000) * UIDS_PER_EXECUTOR
    return range(first, first + settings.executor_concurrency + _warm(settings) + SPARE_USERS)


def _warm(settings: ExecutorSettings) -> int:
    return min(settings.warm_sandboxes, settings.executor_concurrency)


def _toolbox(settings: ExecutorSettings) -> Toolbox:
    try:
        return open_toolbox(settings.toolbox_root)
    except ToolboxError as error:
        raise CannotStart(str(error)) from None


@contextlib.contextmanager
def _cgroups(executor_id: str) -> Iterator[CgroupRoot]:
    root = open_root(executor_id)
    try:
        yield root
    finally:
        root.remove()


@contextlib.contextmanager
def _switch() -> Iterator[Switch]:
    try:
        with open_switch() as switch:
            yield switch
    except SwitchError as error:
        raise CannotStart(str(error)) from None


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancels tasks and raises the first failure among them, so that a broken executor does not end as a good one."""
    await cancel(tasks)
    for ended in tasks:
        if not ended.cancelled() and (failure := ended.exception()) is not None:
            raise failure
