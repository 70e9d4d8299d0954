"""The doorbell of `jobs`: runs of workflows that may go on, and that something happened to incidents.

As with executions, PostgreSQL is the truth and a ring only says where to look: any may be lost, doubled or late, and
the sweep finds what was not heard. Each ring is taken by one process.
"""

from __future__ import annotations

from uuid import UUID

from redis.asyncio import Redis

RUNS = "oncall:runs"
INCIDENT_EVENTS = "oncall:incident-events"


async def ring_run(redis: Redis, run_id: UUID) -> None:
    """Rings for a run; whoever executes needs to know no more of workflows than this."""
    await redis.lpush(RUNS, str(run_id))


async def ring_incident_event(redis: Redis) -> None:
    await redis.lpush(INCIDENT_EVENTS, "")
