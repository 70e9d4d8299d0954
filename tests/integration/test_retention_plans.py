"""What is due is found along an index where it begins: the cost is that of a batch, however much is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.status_page_tables import (
    component_status_changes,
    ended_page_sessions,
    partner_access_batches,
    partner_accesses,
    partner_sessions,
)
from server.storage import expired_executions, former_tokens, old_rows, past_events, request_ids
from tests.integration.test_list_plans import (
    ID,
    MANY_EXECUTIONS,
    MANY_INCIDENTS,
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
    INSERT INTO partner_tokens (id, partner_id, prefix, token_hash, created_at, expires_at, revoked_at)
        SELECT {ID}, {SMALL_ID.format("1 + n % 100")}, n, n::text::bytea, at, CASE WHEN n % 2 = 0 THEN at END,
               CASE WHEN n % 2 = 1 THEN at END
        FROM (SELECT n, now() - n * interval '13 minutes' AS at FROM generate_series(1, {ROWS}) n) s;
    INSERT INTO partner_tokens (id, partner_id, prefix, token_hash, created_at)
        SELECT {ID.replace("1700000000000", "1800000000000")}, {SMALL_ID.format("1 + n % 100")}, 'new' || n,
               ('new' || n)::bytea, now() FROM generate_series(1, 100) n;
    INSERT INTO components (id, status_page_id, name, status, created_at, updated_at)
        SELECT {SMALL_ID.format("n")}, {SMALL_ID.format(1)}, n, 'OPERATIONAL', now(), now()
        FROM generate_series(1, 3000) n;
    INSERT INTO component_status_changes (component_id, at, status, until)
        SELECT {SMALL_ID.format("1 + n % 3000")}, at, 'OPERATIONAL', CASE WHEN n > 3000 THEN at + interval '1 hour' END
        FROM (SELECT n, now() - interval '300 days' - n * interval '1 second' AS at
              FROM generate_series(1, {ROWS}) n) s;
    UPDATE component_status_changes SET until = until + interval '290 days'
    WHERE extract(second FROM until)::integer % 10 < 7;
    INSERT INTO ended_page_sessions (session_hash, expires_at)
        SELECT n::text::bytea, now() - n * interval '13 minutes' FROM generate_series(1, {ROWS}) n;
"""  # noqa: S608 - nothing of it comes from outside


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection]:
    runbooks, executions = MANY_RUNBOOKS.format(rows=30), MANY_EXECUTIONS.format(rows=ROWS)
    async for connection in a_full_database(database_url, PEOPLE_AND_TEAMS, runbooks, executions, ENDED):
        yield connection


# Half of each ended so long ago; of the oldest incidents some are still worked on.
ENDED_EVENTS = f"""
    UPDATE incidents SET resolved_at = now() - n * interval '1 hour'
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM incidents WHERE resolved_at IS NOT NULL) s
    WHERE s.id = incidents.id;
    UPDATE maintenances SET ended_at = now() - n * interval '1 hour'
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM maintenances WHERE ended_at IS NOT NULL) s
    WHERE s.id = maintenances.id;
    INSERT INTO incident_events (id, incident_id, team_id, event, incident, created_at, handled_at)
        SELECT id, id, team_id, 'INCIDENT_RESOLVED', '{{}}', now(), CASE WHEN n > 20 THEN now() END
        FROM (SELECT *, row_number() OVER (ORDER BY resolved_at) AS n FROM incidents) s;
    INSERT INTO workflow_runs (id, workflow_id, workflow_version, team_id, incident_id, event, trigger, definition,
                               created_at, deadline, status, completed_at)
        SELECT id, {SMALL_ID.format(1)}, 1, team_id, id, 'MANUAL', '{{}}', '{{}}', now(), now(), 'COMPLETED', now()
        FROM incidents;
    INSERT INTO workflow_node_runs (run_id, name, status, awaits)
        SELECT id, name, 'SUCCEEDED', NULL FROM workflow_runs, (VALUES ('one'), ('two')) AS node (name);
"""  # noqa: S608 - nothing of it comes from outside


@pytest.fixture
async def with_events(database_url: str) -> AsyncIterator[AsyncConnection]:
    runbooks, executions = MANY_RUNBOOKS.format(rows=30), MANY_EXECUTIONS.format(rows=ROWS)
    events = MANY_INCIDENTS.format(rows=ROWS)
    everything = (PEOPLE_AND_TEAMS, runbooks, executions, events, ENDED_EVENTS)
    async for connection in a_full_database(database_url, *everything):
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


async def test_former_statuses_are_found_without_looking_at_what_is_in_force(with_accesses: AsyncConnection) -> None:
    """However long ago it began: of 3000 components that is one each, older than all that is looked for."""
    for kept, found in ((AGE, LIMIT), (timedelta(days=36_500), 0)):
        plan = await Plan.of(with_accesses, old_rows.due(component_status_changes.c.until, kept, LIMIT))
        assert "Index Scan ix_component_status_changes_until" in plan.shape, plan
        assert plan.rows_read == found, plan


async def test_former_tokens_are_found_without_looking_at_those_that_work(with_accesses: AsyncConnection) -> None:
    for end in former_tokens.ENDS:
        for kept, found in ((AGE, LIMIT), (timedelta(days=36_500), 0)):
            plan = await Plan.of(with_accesses, old_rows.due(end, kept, LIMIT, former_tokens.IS_FORMER))
            assert f"Index Scan ix_partner_tokens_{end.name}" in plan.shape, plan
            assert not any(node.startswith("Seq Scan") for node in plan.shape), plan
            assert plan.rows_read <= 2 * found, plan  # each, and a newer one of the same partner


async def test_past_events_are_found_without_looking_at_newer_ones(with_events: AsyncConnection) -> None:
    worked_on, running = 20, ROWS // 200
    for kind, index, most in (  # each incident and its run, and all that anybody works on
        (past_events.INCIDENTS, "ix_incidents_resolved", 2 * (LIMIT + worked_on) + worked_on + running),
        (past_events.MAINTENANCES, "ix_maintenances_ended", LIMIT),
    ):
        for kept in (AGE, timedelta(days=36_500)):
            plan = await Plan.of(with_events, past_events.due(kind, kept, LIMIT))
            assert f"Index Scan {index}" in plan.shape, plan
            assert not any(node.startswith("Seq Scan") for node in plan.shape), plan
            assert plan.rows_read <= (most if kept is AGE else 0), plan
