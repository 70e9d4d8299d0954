"""The doorbell: taskiq over Redis lists, one for each set of tags that versions ask for.

PostgreSQL is the truth; a ring only says "look at this execution". Rings may be lost, doubled or late: the claim makes
doubles harmless and the sweep in `jobs` rings again for what was lost, so the simplest broker is the right one.

Which list is known from the tags alone, on both sides: whoever rings looks nothing up, and an executor hears every list
that it can serve. That a ring reaches nobody without the tags only saves a wasted look: the claim compares them itself.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Collection
from typing import Any, cast
from uuid import UUID

from redis.asyncio import Redis
from taskiq import AsyncBroker, BrokerMessage
from taskiq.kicker import AsyncKicker
from taskiq_redis import ListQueueBroker

from kernel.execution.tags import Tags, in_order, served_by

RUN_EXECUTION = "execution.run"
QUEUE = "oncall:executions"


def list_of(tags: Collection[str]) -> str:
    """Answers the Redis list of rings for what asks for these tags."""
    return ":".join([QUEUE, "+".join(in_order(tags))] if tags else [QUEUE])


class TaggedQueueBroker(ListQueueBroker):
    """As its base, but rings in the list that the message names, and hears several."""

    def __init__(self, url: str, *, hears: Collection[Tags], **connection: Any) -> None:
        super().__init__(url, queue_name=QUEUE, **connection)
        self._lists = [list_of(tags) for tags in hears]
        self._redis = Redis(connection_pool=self.connection_pool)
        """One for all rings: to make it takes longer than to use it."""

    async def kick(self, message: BrokerMessage) -> None:
        await self._redis.lpush(message.labels["queue_name"], message.message)

    async def listen(self) -> AsyncGenerator[bytes, None]:
        """Yields rings. BRPOP takes from the first list that has one, so their order is drawn anew each time."""
        while True:
            lists = random.sample(self._lists, len(self._lists))
            popped = await self._redis.brpop(lists)
            if popped is not None:
                yield cast("bytes", popped[1])


def execution_queue(redis_url: str, *, carried: Collection[str] = ()) -> TaggedQueueBroker:
    """Answers the broker that both sides use; whoever hears it says what it carries.

    No socket timeout, because a worker waits in BRPOP.
    """
    return TaggedQueueBroker(redis_url, hears=served_by(carried), socket_timeout=None, socket_connect_timeout=5)


class Doorbell:
    """Rings for executions; it names the task, so that nobody who rings imports the executor."""

    def __init__(self, broker: AsyncBroker) -> None:
        self._broker = broker

    async def ring(self, execution_id: UUID, tags: Collection[str] = ()) -> None:
        kicker: AsyncKicker[..., None] = AsyncKicker(RUN_EXECUTION, self._broker, {"queue_name": list_of(tags)})
        await kicker.kiq(str(execution_id))
