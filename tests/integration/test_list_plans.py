"""Lists over 100,000 rows are read along an index, the first page as the thousandth, whatever they are filtered by."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Delete, Select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.database import create_engine
from kernel.execution.status import ExecutionStatus
from server.domain.delivery import DeliveryStatus
from server.domain.incident import IncidentSeverity, IncidentStatus
from server.domain.maintenance import MaintenanceStatus
from server.domain.runbook import RunbookStatus
from server.storage import deliveries, executions, incidents, maintenances, runbooks
from server.storage.deliveries import DeliveryFilter
from server.storage.executions import ExecutionFilter
from server.storage.incidents import IncidentFilter
from server.storage.runbooks import RunbookFilter

ROWS = 100_000
LIMIT = 51  # a page of 50, and one more to see whether more follow
PAGES_BEFORE = 999

TEAMS = [UUID(int=n) for n in (1, 2, 3)]

# Most rows are the first team's, as it is where one team is much larger than the others; times are interleaved.
ID = "(lpad(to_hex(1700000000000 + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid"
SMALL_ID = "lpad(to_hex({}), 32, '0')::uuid"
TEAM = SMALL_ID.format("CASE WHEN n % 10 < 6 THEN 1 WHEN n % 10 < 9 THEN 2 ELSE 3 END")
PEOPLE_AND_TEAMS = f"""
    INSERT INTO users (id, email, display_name, created_at) VALUES ({SMALL_ID.format(9)}, 'a@b', 'A', now());
    INSERT INTO teams (id, name, created_at) SELECT {SMALL_ID.format("n")}, n, now() FROM generate_series(1, 3) n;
    INSERT INTO services (id, team_id, name, created_at)
        SELECT {SMALL_ID.format("n")}, {SMALL_ID.format("n")}, n, now() FROM generate_series(1, 3) n;
"""  # noqa: S608 - nothing of it comes from outside
MANY_RUNBOOKS = f"""
    INSERT INTO runbooks (id, team_id, service_id, name, description, status, latest_version, created_by,
                          created_at, updated_at)
    SELECT {ID}, {TEAM}, CASE WHEN n % 4 = 0 THEN {TEAM} END, 'runbook-' || n, 'restarts host ' || n,
           CASE WHEN n % 100 < 90 THEN 'APPROVED' WHEN n % 100 < 99 THEN 'DRAFT' ELSE 'ARCHIVED' END, 1,
           {SMALL_ID.format(9)}, now(), now()
    FROM generate_series(1, {{rows}}) n;
"""  # noqa: S608 - nothing of it comes from outside
MANY_EXECUTIONS = f"""
    INSERT INTO runbook_versions (runbook_id, version, script, settings, digest, created_by, created_at)
        SELECT id, 1, 'true', '{{{{}}}}', 'd', {SMALL_ID.format(9)}, now() FROM runbooks;
    INSERT INTO executions (id, runbook_id, version, team_id, digest, trigger, incident_id, workflow_run_id, parameters,
                            max_attempts, concurrency, created_at, status, lease_expires_at)
    SELECT {ID}, (SELECT array_agg(r.id) FROM runbooks r)[1 + n % 30], 1, {TEAM}, 'd', 'MANUAL',
           CASE WHEN n % 4 = 0 THEN {SMALL_ID.format("n % 5")} END,
           CASE WHEN n % 5 = 0 THEN {SMALL_ID.format("n % 7")} END, '{{{{}}}}', 1, 'ALLOW', now(), status,
           CASE WHEN status = 'RUNNING' THEN now() END
    FROM (SELECT n, CASE WHEN n % 100 < 90 THEN 'COMPLETED' WHEN n % 100 < 98 THEN 'FAILED' WHEN n % 200 < 199
                    THEN 'CANCELLED' ELSE 'RUNNING' END AS status FROM generate_series(1, {{rows}}) n) AS s;
"""  # noqa: S608 - nothing of it comes from outside

MANY_INCIDENTS = f"""
    INSERT INTO status_pages (id, team_id, slug, name, visibility, time_zone, created_by, created_at, updated_at)
        SELECT {SMALL_ID.format("n")}, {SMALL_ID.format("n")}, 'page-' || n, n, 'PUBLIC', 'UTC', {SMALL_ID.format(9)},
               now(), now() FROM generate_series(1, 3) n;
    INSERT INTO incidents (id, team_id, service_id, status_page_id, title, severity, status, started_at, resolved_at,
                           created_at, updated_at)
    SELECT {ID}, {TEAM}, CASE WHEN n % 4 = 0 THEN {TEAM} END, CASE WHEN n % 3 = 0 THEN {TEAM} END, n,
           'SEV' || 1 + n % 4, CASE WHEN n % 1000 = 0 THEN 'INVESTIGATING' ELSE 'RESOLVED' END, now(),
           CASE WHEN n % 1000 <> 0 THEN now() END, now(), now()
    FROM generate_series(1, {{rows}}) n;
    INSERT INTO maintenances (id, status_page_id, title, component_ids, status, scheduled_for, scheduled_until,
                              ended_at, created_by, created_at, updated_at, told_at)
    SELECT {ID}, {TEAM}, n, ARRAY[{TEAM}], CASE WHEN n % 1000 = 0 THEN 'SCHEDULED' ELSE 'COMPLETED' END,
           now() + make_interval(secs => n), now() + make_interval(secs => n + 60),
           CASE WHEN n % 1000 <> 0 THEN now() END, {SMALL_ID.format(9)}, now(), now(), now()
    FROM generate_series(1, {{rows}}) n;
"""  # noqa: S608 - nothing of it comes from outside

MANY_DELIVERIES = f"""
    INSERT INTO deliveries (id, dedupe_key, team_id, channel_id, event, subject, body, workflow_run_id, incident_id,
                            created_at, status, next_attempt_at, ended_at)
    SELECT {ID}, n, {TEAM}, {TEAM}, 'TEST', '', '', CASE WHEN n % 5 = 0 THEN {SMALL_ID.format("n % 7")} END,
           CASE WHEN n % 4 = 0 THEN {SMALL_ID.format("n % 5")} END, now(), status, now(),
           CASE WHEN status <> 'PENDING' THEN now() END
    FROM (SELECT n, CASE WHEN n % 1000 = 0 THEN 'PENDING' WHEN n % 100 = 1 THEN 'DEAD' ELSE 'DELIVERED' END AS status
          FROM generate_series(1, {{rows}}) n) AS s;
"""  # noqa: S608 - nothing of it comes from outside


@dataclass(slots=True)
class Plan:
    """How PostgreSQL read a page: the kinds of nodes with the indexes they use, and how many rows it looked at."""

    shape: list[str] = field(default_factory=list)
    rows_read: int = 0

    @classmethod
    async def of(cls, connection: AsyncConnection, query: Select[Any] | Delete) -> Plan:
        compiled = str(query.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}))
        explained = await connection.scalar(
            text(f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled.replace(':', chr(92) + ':')}")
        )
        plan = cls()
        plan._add(explained[0]["Plan"])
        return plan

    def _add(self, node: dict[str, Any]) -> None:
        self.shape.append(f"{node['Node Type']} {node.get('Index Name', '')}".strip())
        if "Relation Name" in node:
            removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            self.rows_read += round((node["Actual Rows"] + removed) * node["Actual Loops"])
        for child in node.get("Plans", []):
            self._add(child)


async def a_full_database(url: str, *statements: str) -> AsyncIterator[AsyncConnection]:
    engine = create_engine(url, pool_size=1)
    async with engine.connect() as connection:
        for statement in ";".join(statements).split(";"):
            if statement.strip():
                await connection.exec_driver_sql(statement)
        await connection.commit()
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).exec_driver_sql("VACUUM ANALYZE")
        yield connection
    await engine.dispose()


@pytest.fixture
async def with_runbooks(database_url: str) -> AsyncIterator[AsyncConnection]:
    async for connection in a_full_database(database_url, PEOPLE_AND_TEAMS, MANY_RUNBOOKS.format(rows=ROWS)):
        yield connection


@pytest.fixture
async def with_executions(database_url: str) -> AsyncIterator[AsyncConnection]:
    few_runbooks, many = MANY_RUNBOOKS.format(rows=30), MANY_EXECUTIONS.format(rows=ROWS)
    async for connection in a_full_database(database_url, PEOPLE_AND_TEAMS, few_runbooks, many):
        yield connection


@pytest.fixture
async def with_incidents(database_url: str) -> AsyncIterator[AsyncConnection]:
    async for connection in a_full_database(database_url, PEOPLE_AND_TEAMS, MANY_INCIDENTS.format(rows=ROWS)):
        yield connection


@pytest.fixture
async def with_deliveries(database_url: str) -> AsyncIterator[AsyncConnection]:
    async for connection in a_full_database(database_url, PEOPLE_AND_TEAMS, MANY_DELIVERIES.format(rows=ROWS)):
        yield connection


def visible_teams() -> list[list[UUID] | None]:
    """What callers may see: everything, as a platform admin; one team, the largest and the smallest; several."""
    return [None, TEAMS[:1], TEAMS[2:], TEAMS]


def runbook_filters() -> Iterator[tuple[RunbookFilter, bool]]:
    """Every combination of filters, and whether an index has all of it, so that little else is read."""
    for teams, service, status, query in itertools.product(
        visible_teams(), (None, TEAMS[0]), (None, *RunbookStatus), ("", "host 77", "nowhere")
    ):
        exact = not query and service is None
        yield RunbookFilter(teams, service, status, query), exact


def execution_filters(runbook: UUID) -> Iterator[tuple[ExecutionFilter, bool]]:
    for teams, of_runbook, incident, workflow_run, status in itertools.product(
        visible_teams(), (None, runbook), (None, UUID(int=4)), (None, UUID(int=5)), (None, *ExecutionStatus)
    ):
        exact = not (incident or workflow_run or (of_runbook and teams))
        yield ExecutionFilter(teams, of_runbook, incident, workflow_run, status), exact


def incident_filters() -> Iterator[tuple[IncidentFilter, bool]]:
    for teams, service, page, status, severity in itertools.product(
        visible_teams(),
        (None, TEAMS[0]),
        (None, TEAMS[0]),
        (None, IncidentStatus.INVESTIGATING, IncidentStatus.RESOLVED),
        (None, IncidentSeverity.SEV1),
    ):
        about = [service, page, status, severity]
        exact = not any(about) or (teams is not None and not (service or page) and about.count(None) == 3)
        yield IncidentFilter(teams, service, page, status, severity), exact


def delivery_filters() -> Iterator[tuple[DeliveryFilter, bool]]:
    for teams, channel, status, run, incident in itertools.product(
        visible_teams(), (None, TEAMS[0]), (None, *DeliveryStatus), (None, UUID(int=5)), (None, UUID(int=4))
    ):
        exact = not (run or incident or (channel and teams)) and (status is None or (teams is not None and not channel))
        yield DeliveryFilter(teams, channel, status, run, incident), exact


async def below_the_first_999_pages(connection: AsyncConnection, table: str) -> UUID:
    rank = 50 * PAGES_BEFORE
    found: UUID | None = await connection.scalar(text(f"SELECT id FROM {table} ORDER BY id DESC OFFSET {rank} LIMIT 1"))  # noqa: S608
    assert found
    return found


async def check(connection: AsyncConnection, query: Any, wanted: Any, deep: UUID, exact: bool) -> None:
    first = await Plan.of(connection, query(wanted, before=None, limit=LIMIT))
    thousandth = await Plan.of(connection, query(wanted, before=deep, limit=LIMIT))
    for plan in (first, thousandth):
        assert not any(node.startswith("Seq Scan") for node in plan.shape), (wanted, plan)
        assert any("Index" in node for node in plan.shape), (wanted, plan)
        if exact:
            assert plan.rows_read <= LIMIT * len(wanted.team_ids or "*"), (wanted, plan)
    if exact:
        assert first.shape == thousandth.shape, wanted


async def test_pages_of_runbooks_are_read_along_an_index(with_runbooks: AsyncConnection) -> None:
    deep = await below_the_first_999_pages(with_runbooks, "runbooks")
    for wanted, exact in runbook_filters():
        await check(with_runbooks, runbooks.page_query, wanted, deep, exact)


async def test_pages_of_executions_are_read_along_an_index(with_executions: AsyncConnection) -> None:
    deep = await below_the_first_999_pages(with_executions, "executions")
    runbook = await with_executions.scalar(text("SELECT runbook_id FROM executions LIMIT 1"))
    for wanted, exact in execution_filters(runbook):
        await check(with_executions, executions.page_query, wanted, deep, exact)


async def test_pages_of_incidents_are_read_along_an_index(with_incidents: AsyncConnection) -> None:
    deep = await below_the_first_999_pages(with_incidents, "incidents")
    for wanted, exact in incident_filters():
        await check(with_incidents, incidents.page_query, wanted, deep, exact)


async def test_pages_of_maintenances_are_read_along_an_index(with_incidents: AsyncConnection) -> None:
    for page, status in itertools.product(TEAMS, (None, *MaintenanceStatus)):
        query = maintenances.page_query(page, status=status, before=None, limit=LIMIT)
        plan = await Plan.of(with_incidents, query)
        assert not any(node.startswith("Seq Scan") for node in plan.shape), (page, status, plan)
        assert plan.rows_read <= LIMIT, (page, status, plan)


async def test_pages_of_deliveries_are_read_along_an_index(with_deliveries: AsyncConnection) -> None:
    deep = await below_the_first_999_pages(with_deliveries, "deliveries")
    for wanted, exact in delivery_filters():
        await check(with_deliveries, deliveries.page_query, wanted, deep, exact)
