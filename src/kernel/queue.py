"""The doorbell: taskiq over a Redis list.

PostgreSQL is the truth; a ring only says "look at this execution". Rings may be lost, doubled or late: the claim makes
doubles harmless and the sweep in `jobs` rings again for what was lost, so the simplest broker is the right one.
"""

from __future__ import annotations

from uuid import UUID

from taskiq import AsyncBroker
from taskiq.kicker import AsyncKicker
from taskiq_redis import ListQueueBroker

RUN_EXECUTION = "execution.run"


def execution_queue(redis_url: str) -> ListQueueBroker:
    """Answers the broker that both sides use; no socket timeout, because a worker waits in BRPOP."""
    return ListQueueBroker(redis_url, queue_name="oncall:executions", socket_timeout=None, socket_connect_timeout=5)


class Doorbell:
    """Rings for executions; it names the task, so that nobody who rings imports the executor."""

    def __init__(self, broker: AsyncBroker) -> None:
        self._broker = broker

    async def ring(self, execution_id: UUID) -> None:
        kicker: AsyncKicker[..., None] = AsyncKicker(RUN_EXECUTION, self._broker, {})
        await kicker.kiq(str(execution_id))
