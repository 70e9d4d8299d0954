"""The live side of an execution's log: what has been committed, published to whoever follows.

Durable before live: an event is published only after PostgreSQL has it, so Redis may lose anything at any time and
no watcher has ever been shown what a later reader will not find (docs/decisions/0001).
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from redis.asyncio import Redis

from kernel.execution.event import Event, encode_events


def log_channel(execution_id: UUID) -> str:
    return f"oncall:log:{execution_id}"


def cancel_channel(executor_id: str) -> str:
    """Where an executor hears at once which execution to cancel; the lease renewal tells it again."""
    return f"oncall:cancel:{executor_id}"


async def publish_events(redis: Redis, execution_id: UUID, events: Sequence[Event]) -> None:
    await redis.publish(log_channel(execution_id), encode_events(events))


async def publish_cancel(redis: Redis, executor_id: str, execution_id: UUID) -> None:
    await redis.publish(cancel_channel(executor_id), str(execution_id))


def connect(url: str) -> Redis:
    """Answers a client; nothing is sent before it is used. Calls fail after 5 s rather than hang."""
    client: Redis = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5, health_check_interval=15)
    return client
