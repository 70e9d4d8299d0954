"""The taskiq side: the task that a ring names, and the loop that hears rings for as long as the executor lives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog
from redis.exceptions import RedisError
from taskiq import AsyncBroker
from taskiq.receiver import Receiver

from kernel.queue import RUN_EXECUTION

log = structlog.get_logger()

RECONNECT_SECONDS = 1.0


def register(broker: AsyncBroker, answer: Callable[[UUID], Awaitable[None]]) -> None:
    """Makes `answer` what happens on a ring. A ring that names no execution is dropped with a line in the log."""

    async def run_execution(execution_id: str) -> None:
        try:
            wanted = UUID(execution_id)
        except ValueError:
            log.warning("ring_without_execution")
            return
        await answer(wanted)

    broker.register_task(run_execution, task_name=RUN_EXECUTION)


async def hear(broker: AsyncBroker, stop: asyncio.Event, *, slots: int) -> None:
    """Hears rings until `stop` is set, whatever becomes of Redis meanwhile; running attempts are not waited for."""
    broker.is_worker_process = True
    while not stop.is_set():
        receiver = Receiver(broker, max_async_tasks=slots, max_prefetch=0, run_startup=False, wait_tasks_timeout=0.0)
        try:
            await receiver.listen(stop)
        except (RedisError, OSError) as error:
            log.warning("queue_lost", error=type(error).__name__)
        except BaseExceptionGroup as group:
            if group.split((RedisError, OSError))[1] is not None:
                raise
            log.warning("queue_lost", error=type(group.exceptions[0]).__name__)
        if not stop.is_set():
            await asyncio.sleep(RECONNECT_SECONDS)
