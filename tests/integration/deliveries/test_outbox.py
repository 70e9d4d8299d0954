"""Which deliveries are made, of what, once; and which are found again, and forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select, text, update

from kernel.database import Sessions, transaction
from kernel.ids import new_id
from kernel.notification_tables import deliveries
from kernel.tables import executions
from server.domain.delivery import DELIVERED, PENDING, NotificationEvent
from server.domain.incident import IncidentSeverity
from server.domain.notification_channel import ChannelKind
from server.domain.page import Pager
from server.jobs.retention import forget_deliveries
from server.operations.environment import Environment
from server.operations.notify_team import Happening, notify_team
from server.operations.tell_failures import tell_failures
from server.storage import outbox
from tests.builders import TeamWithPeople, a_team, an_approved_runbook
from tests.receivers import a_channel, a_delivery


async def test_the_same_key_is_told_once(db: Sessions, team: TeamWithPeople) -> None:
    await a_channel(db, team, "http://127.0.0.1:9/")
    await a_channel(db, team, "http://127.0.0.1:9/", events=(NotificationEvent.INCIDENT_CREATED,))
    await a_channel(db, team, "http://127.0.0.1:9/", enabled=False)
    await a_channel(db, await a_team(db), "http://127.0.0.1:9/")
    told = Happening("failed:1", team.id, NotificationEvent.EXECUTION_FAILED, "Failed", "It did.")

    async def tell(happening: Happening) -> list[UUID]:
        async with transaction(db) as tx:
            return await notify_team(tx.session, happening, datetime.now(UTC))

    at_once = await asyncio.gather(*(tell(told) for _ in range(5)))
    assert sorted(len(made) for made in at_once) == [0, 0, 0, 0, 1]
    assert len(await tell(replace(told, event=NotificationEvent.INCIDENT_CREATED, dedupe_key="incident:1"))) == 2


@pytest.mark.parametrize(
    ("severity", "heard"), [(IncidentSeverity.SEV1, 3), (IncidentSeverity.SEV2, 3), (IncidentSeverity.SEV3, 2)]
)
async def test_a_least_severity_keeps_lesser_incidents_away(
    db: Sessions, team: TeamWithPeople, severity: IncidentSeverity, heard: int
) -> None:
    for least in (None, IncidentSeverity.SEV2, IncidentSeverity.SEV4):
        await a_channel(db, team, "http://127.0.0.1:9/", min_severity=least)
    async with transaction(db) as tx:
        event = NotificationEvent.INCIDENT_CREATED
        happening = Happening("incident:1", team.id, event, "Down", "It is.", severity)
        assert len(await notify_team(tx.session, happening, datetime.now(UTC))) == heard
        told = replace(happening, severity=None, dedupe_key="failed", event=NotificationEvent.WORKFLOW_FAILED)
        assert len(await notify_team(tx.session, told, datetime.now(UTC))) == 3


async def test_what_is_rolled_back_is_not_told(db: Sessions, team: TeamWithPeople) -> None:
    await a_channel(db, team, "http://127.0.0.1:9/")
    async with db() as session:
        happening = Happening("x", team.id, NotificationEvent.INCIDENT_CREATED, "Down", "It is.")
        assert await notify_team(session, happening, datetime.now(UTC))
        await session.rollback()
        assert await session.scalar(select(func.count()).select_from(deliveries)) == 0


async def test_failed_executions_are_told_of_once_and_cancelled_ones_never(db: Sessions, team: TeamWithPeople) -> None:
    await a_channel(db, team, "http://127.0.0.1:9/")
    runbook = await an_approved_runbook(db, team, name="restart")
    env = Environment(db, Pager(b""))
    made: dict[str, UUID] = {}
    async with transaction(db) as tx:
        for status in ("FAILED", "TIMEOUT", "CANCELLED", "COMPLETED", "PENDING"):
            made[status] = new_id()
            finished = None if status == "PENDING" else func.now()
            await tx.session.execute(
                insert(executions).values(
                    id=made[status],
                    runbook_id=runbook.id,
                    version=1,
                    team_id=team.id,
                    digest="d",
                    trigger="MANUAL",
                    parameters={},
                    max_attempts=3,
                    concurrency="ALLOW",
                    created_at=func.now(),
                    status=status,
                    completed_at=finished,
                    exit_code=7 if status == "FAILED" else None,
                    error_message="it ran for longer than 5 s" if status == "TIMEOUT" else "",
                    attempt=3,
                )
            )
    assert sum(await asyncio.gather(*(tell_failures(env) for _ in range(3)))) == 2
    assert await tell_failures(env) == 0
    async with db() as session:
        rows = (await session.execute(select(deliveries).order_by(deliveries.c.execution_id))).mappings().all()
    assert [(row["execution_id"], row["subject"]) for row in rows] == [
        (made["FAILED"], "Runbook restart failed"),
        (made["TIMEOUT"], "Runbook restart ran out of time"),
    ]
    assert "exit code 7" in rows[0]["body"]
    assert rows[1]["data"]["status"] == "TIMEOUT"


async def test_old_deliveries_are_forgotten_and_waiting_ones_are_not(db: Sessions, team: TeamWithPeople) -> None:
    channel = await a_channel(db, team, "http://127.0.0.1:9/")
    old, new, waiting = [await a_delivery(db, team, channel) for _ in range(3)]
    async with transaction(db) as tx:
        for one, days in ((old, 31), (new, 29)):
            at = func.now() - timedelta(days=days)
            await tx.session.execute(
                update(deliveries).where(deliveries.c.id == one).values(status=DELIVERED, ended_at=at)
            )
    assert await forget_deliveries(db, 0) == 0
    assert await forget_deliveries(db, 30) == 1
    async with db() as session:
        assert set((await session.execute(select(deliveries.c.id))).scalars()) == {new, waiting}


async def test_what_is_due_is_found_along_an_index(db: Sessions, team: TeamWithPeople) -> None:
    async with transaction(db) as tx:
        await tx.session.execute(
            text(
                "INSERT INTO deliveries (id, dedupe_key, team_id, channel_id, event, subject, body, created_at, status,"
                " next_attempt_at, ended_at) SELECT gen_random_uuid(), n, :team, :team, 'TEST', '', '', now(),"
                " CASE WHEN n % 1000 = 0 THEN 'PENDING' ELSE 'DELIVERED' END, now(),"
                " CASE WHEN n % 1000 <> 0 THEN now() END FROM generate_series(1, 20000) n"
            ),
            {"team": team.id},
        )
    async with db() as session:
        await session.execute(text("ANALYZE deliveries"))
        await session.execute(text("SET plan_cache_mode = force_generic_plan"))
        await session.execute(
            text(
                "PREPARE due (timestamptz) AS SELECT id FROM deliveries WHERE status = 'PENDING'"
                " AND next_attempt_at <= $1 ORDER BY next_attempt_at LIMIT 4 FOR UPDATE SKIP LOCKED"
            )
        )
        plan = "\n".join((await session.execute(text("EXPLAIN EXECUTE due (now())"))).scalars())
    assert "ix_deliveries_due" in plan


async def test_a_message_to_a_pager_is_outdated_once_a_newer_one_about_the_incident_was_taken(
    db: Sessions, team: TeamWithPeople
) -> None:
    pager = await a_channel(db, team, "0123456789abcdef0123", kind=ChannelKind.PAGERDUTY)
    other = await a_channel(db, team, "http://127.0.0.1:9/")
    incident = new_id()
    first = await a_delivery(db, team, pager, incident_id=incident)
    for channel, about in ((pager, incident), (other, incident), (pager, new_id())):
        await a_delivery(db, team, channel, incident_id=about)

    async def outdated(*delivered: UUID) -> list[bool]:
        async with transaction(db) as tx:
            await tx.session.execute(update(deliveries).values(status=PENDING, ended_at=None))
            ended = {"status": DELIVERED, "ended_at": func.now()}
            await tx.session.execute(update(deliveries).where(deliveries.c.id.in_(delivered)).values(ended))
        async with db() as session:
            claimed = await outbox.claim(session, busy=[], limit=10, lasts=timedelta(0))
            found = [await outbox.is_outdated(session, one) for one in claimed if one.id == first]
            await session.rollback()
        return found

    async with db() as session:
        ids = (await session.execute(select(deliveries.c.id).order_by(deliveries.c.id))).scalars().all()
    assert await outdated(ids[2], ids[3]) == [False]
    assert await outdated(ids[1]) == [True]
