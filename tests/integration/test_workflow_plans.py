"""Lists of workflows and of their runs are read along an index, and what is due is found without what is not."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.workflow.definition import Event
from server.domain.workflow.run import RunStatus
from server.storage import due_runs, expired_runs, workflow_runs, workflows
from server.storage.workflow_runs import RunFilter
from server.storage.workflows import WorkflowFilter
from tests.integration.test_list_plans import (
    ID,
    LIMIT,
    MANY_EXECUTIONS,
    MANY_RUNBOOKS,
    PEOPLE_AND_TEAMS,
    ROWS,
    SMALL_ID,
    TEAM,
    Plan,
    a_full_database,
    below_the_first_999_pages,
    check,
    visible_teams,
)

# One run in a thousand goes on and waits: every fourth for an execution, a delivery, a word, or nothing but the time.
MANY_WORKFLOWS = f"""
    INSERT INTO workflows (id, team_id, name, enabled, event, definition, version, created_by, created_at, updated_at)
    SELECT {ID}, {TEAM}, n, true, CASE WHEN n % 10 < 7 THEN 'INCIDENT_CREATED' ELSE 'MANUAL' END,
           '{{"nodes": [1], "edges": [1]}}', 1, {SMALL_ID.format(9)}, now(), now()
    FROM generate_series(1, {ROWS}) n;
"""  # noqa: S608 - nothing of it comes from outside
MANY_RUNS = f"""
    INSERT INTO workflow_runs (id, workflow_id, workflow_version, team_id, incident_id, event, trigger, definition,
                               created_at, deadline, status, wake_at, completed_at)
    SELECT {ID}, {SMALL_ID.format("n % 30")}, 1, {TEAM}, CASE WHEN n % 4 = 0 THEN {SMALL_ID.format("n % 50")} END,
           'MANUAL', '{{}}', '{{"nodes": [1], "edges": [1]}}', now(), now(),
           CASE WHEN n % 1000 = 0 THEN 'RUNNING' WHEN n % 10 < 9 THEN 'COMPLETED' ELSE 'FAILED' END,
           CASE WHEN n % 1000 = 0 THEN now() + (n - 5000) * interval '1 s' END,
           CASE WHEN n % 1000 <> 0 THEN now() - n * interval '3 minutes' END
    FROM generate_series(1, {ROWS}) n;
    INSERT INTO workflow_node_runs (run_id, name, status, awaits, execution_id)
    SELECT id, 'a', CASE WHEN status = 'RUNNING' THEN 'RUNNING' ELSE 'SUCCEEDED' END,
           CASE WHEN status = 'RUNNING' THEN (ARRAY['EXECUTION', 'DELIVERY', 'DECISION', NULL])[1 + number % 4] END,
           (SELECT e.id FROM executions e OFFSET number - 1 LIMIT 1)
    FROM (SELECT id, status, row_number() OVER (PARTITION BY status ORDER BY id) AS number FROM workflow_runs) r
    WHERE status = 'RUNNING' OR number < 1000;
"""  # noqa: S608 - nothing of it comes from outside
ON = 100  # so many runs go on


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection]:
    executions = MANY_RUNBOOKS.format(rows=30), MANY_EXECUTIONS.format(rows=3_000)
    some = MANY_RUNS.replace("(SELECT e.id FROM executions e OFFSET number - 1 LIMIT 1)", _execution())
    async for connection in a_full_database(database_url, PEOPLE_AND_TEAMS, *executions, MANY_WORKFLOWS, some):
        yield connection


def _execution() -> str:
    """Answers a different execution for each row: an execution is of one step alone."""
    ordered = "(SELECT array_agg(e.id ORDER BY e.id) FROM executions e)"
    return f"{ordered}[number + CASE WHEN status = 'RUNNING' THEN 0 WHEN status = 'FAILED' THEN 1500 ELSE 200 END]"


def run_filters() -> Iterator[tuple[RunFilter, bool]]:
    for teams, workflow, incident, status in itertools.product(
        visible_teams(), (None, UUID(int=4)), (None, UUID(int=4)), (None, RunStatus.COMPLETED, RunStatus.RUNNING)
    ):
        exact = not (workflow or incident)
        yield RunFilter(teams, workflow, incident, status), exact


async def test_pages_of_workflows_and_runs_are_read_along_an_index(connection: AsyncConnection) -> None:
    deep = await below_the_first_999_pages(connection, "workflows")
    for teams, event in itertools.product(visible_teams(), (None, *Event)):
        await check(connection, workflows.page_query, WorkflowFilter(teams, event), deep, exact=True)
    deep = await below_the_first_999_pages(connection, "workflow_runs")
    for wanted, exact in run_filters():
        await check(connection, workflow_runs.page_query, wanted, deep, exact)


async def test_runs_that_are_due_are_found_without_looking_at_those_that_ended(connection: AsyncConnection) -> None:

    for query, most in (
        (due_runs.awake(LIMIT), 5),
        (due_runs.unheard(LIMIT), 3 * ON),
        (due_runs.answered(LIMIT), ON),
        (due_runs.sent(LIMIT), ON),
        (due_runs.braked(LIMIT), 0),
    ):
        plan = await Plan.of(connection, query)
        assert not any(node.startswith("Seq Scan on workflow") for node in plan.shape), plan
        assert plan.rows_read <= most, plan


async def test_old_runs_are_found_without_looking_at_newer_ones(connection: AsyncConnection) -> None:
    for age, found in ((timedelta(days=90), LIMIT), (timedelta(days=36_500), 0)):
        plan = await Plan.of(connection, expired_runs.runs_due(age, LIMIT))
        assert "Index Scan ix_workflow_runs_ended" in plan.shape, plan
        assert plan.rows_read <= 2 * found, plan
