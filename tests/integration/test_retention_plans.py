"""What is due is found along an index where it begins: the cost is that of a batch, however much is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.status_page_tables import ended_page_sessions, partner_access_batches, partner_accesses, partner_sessions
from server.storage import expired_executions, old_rows, request_ids
from tests.integration.test_list_plans import (
    MANY_EXECUTIONS,
    MANY_RUNBOOKS,
    PEOPLE_AND_TEAMS,
    SMALL_ID,
    Plan,
    a_full_database,
)

ROWS = 30_000
DUE = 1000
LIMIT = 50
AGE = timedelta(days=90)

# A thousand each have a log that is due, a log that is being removed, and a record that is due; most are in no hurry.
ENDED = f"""
    UPDATE executions SET completed_at = now() - interval '1 day' - n * interval '1 second', log_expired_at =
           CASE WHEN n < {3 * DUE} THEN now() END, log_removed_at = CASE WHEN n < {2 * DUE} THEN now() END
    FROM (SELECT id, row_number() OVER () AS n FROM executions WHERE status <> 'RUNNING') s WHERE s.id = executions.id;
    UPDATE executions SET completed_at = completed_at - interval '100 days'
    WHERE id IN (SELECT id FROM executions WHERE log_expired_at IS NULL AND status <> 'RUNNING' LIMIT {DUE})
       OR id IN (SELECT id FROM executions WHERE log_removed_at IS NOT NULL LIMIT {DUE});
    INSERT INTO execution_events (execution_id, sequence, time, kind, data)
        SELECT id, n, now(), 'output', 'xxxxxxxxxx' FROM generate_series(1, 100) n,
               (SELECT id FROM executions WHERE log_expired_at IS NOT NULL AND log_removed_at IS NULL LIMIT 300) e;
    INSERT INTO request_ids (caller_id, method, request_id, fingerprint, resource, created_at)
        SELECT {SMALL_ID.format(9)}, '/m', n, 'f', '{{}}', now() - n * interval '10 minutes'
        FROM generate_series(1, {ROWS}) n;
"""  # noqa: S608 - nothing of it comes from outside

# A third of each is older than 90 days.
MANY_ACCESSES = f"""
    INSERT INTO status_pages (id, team_id, slug, name, visibility, time_zone, created_by, created_at, updated_at)
        SELECT {SMALL_ID.format(1)}, {SMALL_ID.format(1)}, 'page', 'Page', 'PUBLIC', 'UTC', {SMALL_ID.format(9)},
               now(), now();
    INSERT INTO partners (id, status_page_id, name, created_by, created_at, updated_at)
        SELECT {SMALL_ID.format("n")}, {SMALL_ID.format(1)}, n, {SMALL_ID.format(9)}, now(), now()
        FROM generate_series(1, 100) n;
    INSERT INTO partner_sessions (id, partner_id, address, user_agent, token_prefix, started_at, last_active_at)
        SELECT {SMALL_ID.format("n")}, {SMALL_ID.format("1 + n % 100")}, '192.0.2.7', 'curl', 'ocp_a', at, at
        FROM (SELECT n, now() - n * interval '13 minutes' AS at FROM generate_series(1, {ROWS}) n) s;
    INSERT INTO partner_accesses (partner_id, date, token_prefix, address, first_at, last_at, access_count)
        SELECT {SMALL_ID.format("1 + n % 100")}, at::date, 'ocp_a', n, at, at, 1
        FROM (SELECT n, now() - n * interval '13 minutes' AS at FROM generate_series(1, {ROWS}) n) s;
    INSERT INTO partner_access_batches (batch_id, recorded_at)
        SELECT n, now() - n * interval '13 minutes' FROM generate_series(1, {ROWS}) n;
    INSERT INTO ended_page_sessions (session_hash, expires_at)
        SELECT n::text::bytea, now() - n * interval '13 minutes' FROM generate_series(1, {ROWS}) n;
"""  # noqa: S608 - nothing of it comes from outside


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection]:
    runbooks, executions = MANY_RUNBOOKS.format(rows=30), MANY_EXECUTIONS.format(rows=ROWS)
    async for connection in a_full_database(database_url, PEOPLE_AND_TEAMS, runbooks, executions, ENDED):
        yield connection


@pytest.fixture
async def with_accesses(database_url: str) -> AsyncIterator[AsyncConnection]:
    async for connection in a_full_database(database_url, PEOPLE_AND_TEAMS, MANY_ACCESSES):
        yield connection


async def test_what_is_due_is_found_without_looking_at_what_is_not(connection: AsyncConnection) -> None:
    for query, index in (
        (expired_executions.logs_due(AGE, LIMIT), "ix_executions_log_kept"),
        (expired_executions.logs_to_remove(LIMIT), "ix_executions_log_expired"),
        (expired_executions.records_due(AGE, LIMIT), "ix_executions_log_removed"),
        (request_ids.due(AGE, LIMIT), "ix_request_ids_created_at"),
    ):
        plan = await Plan.of(connection, query)
        assert f"Index Scan {index}" in plan.shape, plan
        assert plan.rows_read == LIMIT, plan
    century = timedelta(days=36_500)
    for query in (
        expired_executions.logs_due(century, LIMIT),
        expired_executions.records_due(century, LIMIT),
        request_ids.due(century, LIMIT),
    ):
        plan = await Plan.of(connection, query)
        assert any(node.startswith("Index Scan") for node in plan.shape), plan
        assert plan.rows_read == 0, plan


async def test_a_batch_of_events_is_found_and_removed_without_looking_at_the_others(
    connection: AsyncConnection,
) -> None:
    logs: Any = await connection.scalars(text("SELECT DISTINCT execution_id FROM execution_events"))
    plan = await Plan.of(connection, expired_executions.removal(list(logs), rows=250, size=10**9))
    assert not any(node.startswith("Seq Scan") for node in plan.shape), plan
    assert plan.rows_read <= 600, plan  # of 30,000: 250 of three logs to find them, and again to remove them
    assert await connection.scalar(text("SELECT count(*) FROM execution_events")) == 30_000 - 250


async def test_old_rows_of_partners_are_found_without_looking_at_newer_ones(with_accesses: AsyncConnection) -> None:
    for at in (
        partner_sessions.c.last_active_at,
        partner_accesses.c.date,
        partner_access_batches.c.recorded_at,
        ended_page_sessions.c.expires_at,
    ):
        for kept, found in ((AGE, LIMIT), (timedelta(days=36_500), 0)):
            plan = await Plan.of(with_accesses, old_rows.due(at, kept, LIMIT))
            assert f"Index Scan ix_{at.table.name}_{at.name}" in plan.shape, plan
            assert plan.rows_read == found, plan
