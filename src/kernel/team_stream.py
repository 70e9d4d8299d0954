"""What is told at once of a team: that a thing of it is new or has changed. What it is now is in PostgreSQL.

All of it may be lost: whoever follows a team looks again from time to time.
"""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from redis.asyncio import Redis


class Thing(StrEnum):
    """What may have changed."""

    EXECUTION = "execution"
    INCIDENT = "incident"
    WORKFLOW_RUN = "run"


def team_channel(team_id: UUID) -> str:
    return f"oncall:team:{team_id}"


async def publish_change(redis: Redis, team_id: UUID, thing: Thing, thing_id: UUID) -> None:
    await redis.publish(team_channel(team_id), f"{thing}:{thing_id}")


def read_change(message: bytes) -> tuple[Thing, UUID]:
    """Answers what a message says; a ValueError where it is none of ours."""
    thing, _, thing_id = message.decode().partition(":")
    return Thing(thing), UUID(thing_id)
