"""Several `jobs` send everything once, and one that is killed leaves it to be sent again under the same id."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select, update

from kernel.database import Sessions, transaction
from kernel.ids import new_id
from kernel.notification_tables import deliveries
from server.domain.delivery import DELIVERED, PENDING
from tests.builders import MASTER_KEY, TeamWithPeople
from tests.receivers import (
    WebhookReceiver,
    a_channel,
    a_delivery,
    silent,
)
from tests.sending import delivery, ended
from tests.waiting import eventually


def environment(database_url: str, redis_url: str, folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "ONCALL_DATABASE_URL": database_url,
        "ONCALL_REDIS_URL": redis_url,
        "ONCALL_MASTER_KEY": MASTER_KEY,
        "ONCALL_READY_FILE": str(folder / f"{new_id()}.json"),
        "ONCALL_OUTBOUND_ALLOW": "127.0.0.1",
    }


@asynccontextmanager
async def jobs(environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A `jobs` process that is ready; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "server.jobs", env=environment)

    async def is_ready() -> bool:
        assert process.returncode is None
        return await asyncio.to_thread(Path(environment["ONCALL_READY_FILE"]).exists)

    try:
        await eventually(is_ready, within=60)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_several_processes_send_everything_and_nothing_twice(
    db: Sessions, team: TeamWithPeople, receiver: WebhookReceiver, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    channels = [await a_channel(db, team, f"{receiver.url}/{n}") for n in range(10)]
    one, two = (environment(database_url, redis_url, tmp_path) for _ in range(2))
    async with jobs(one) as first, jobs(two) as second:
        made = [await a_delivery(db, team, channels[n % 10]) for n in range(200)]
        await receiver.wait_for(200, within=60)
        for process in (first, second):
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 15) == 0
    seen = Counter(request.headers["webhook-id"] for request in receiver.requests)
    assert seen == Counter(str(one) for one in made)
    async with db() as session:
        statuses = (await session.execute(select(deliveries.c.status, deliveries.c.attempts))).all()
    assert set(statuses) == {("DELIVERED", 1)}


async def test_a_process_killed_between_sending_and_noting_leaves_it_to_be_sent_again_under_the_same_id(
    db: Sessions, team: TeamWithPeople, receiver: WebhookReceiver, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    receiver.answers = [silent]
    channel = await a_channel(db, team, receiver.url)
    async with jobs(environment(database_url, redis_url, tmp_path)) as process:
        made = await a_delivery(db, team, channel)
        await receiver.wait_for(1)
        process.kill()
        await process.wait()
    left = await delivery(db, made)
    assert (left.status, left.attempts) == (PENDING, 1)
    assert left.next_attempt_at > datetime.now(UTC)  # nobody else may take it before its claim has ended
    async with transaction(db) as tx:
        await tx.session.execute(update(deliveries).values(next_attempt_at=func.now()))
    async with jobs(environment(database_url, redis_url, tmp_path)):
        await receiver.wait_for(2)
        after = await ended(db, made)
    assert (after.status, after.attempts) == (DELIVERED, 2)
    assert [request.headers["webhook-id"] for request in receiver.requests] == [str(made)] * 2
    assert [request.body for request in receiver.requests] == [receiver.requests[0].body] * 2
