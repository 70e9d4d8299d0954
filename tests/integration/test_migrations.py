"""The migrations make what the tables say, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from cli.launcher.embedded_postgres import EmbeddedPostgres
from kernel import (  # noqa: F401 - put their tables into the metadata
    incident_tables,
    migrations,
    notification_tables,
    status_page_tables,
    workflow_tables,
)
from kernel.database import create_engine
from kernel.tables import metadata
from tests.conftest import empty_database


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


async def test_a_migrated_database_has_the_tables_as_they_are_written_down(database_url: str) -> None:
    engine = create_engine(database_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(_differences) == []
    await engine.dispose()


async def test_migrating_a_database_that_is_up_to_date_changes_nothing(database_url: str) -> None:
    engine = create_engine(database_url)
    await migrations.upgrade(engine)
    async with engine.connect() as connection:
        assert await connection.run_sync(_differences) == []
    await engine.dispose()


# An installation of revision 0003 in which one execution failed, ran longer than its limit and then completed, one was
# cancelled, one runs, and one never began.
OLD_ROWS = """
    INSERT INTO users (id, email, display_name, created_at) VALUES ({n1}, 'a@b', 'A', now());
    INSERT INTO teams (id, name, created_at) VALUES ({n1}, 't', now());
    INSERT INTO runbooks (id, team_id, name, status, latest_version, created_by, created_at, updated_at)
        VALUES ({n1}, {n1}, 'r', 'APPROVED', 1, {n1}, now(), now());
    INSERT INTO runbook_versions (runbook_id, version, script, settings, digest, created_by, created_at)
        VALUES ({n1}, 1, 'true', '{{}}', 'd', {n1}, now());
    INSERT INTO executions (id, runbook_id, version, team_id, digest, trigger, parameters, max_attempts, concurrency,
                            created_at, status, attempt, epoch, lease_expires_at)
        SELECT n::uuid, {n1}::uuid, 1, {n1}::uuid, 'd', 'MANUAL', '{{}}', 3, 'ALLOW', now(), status, attempt, attempt,
               CASE WHEN status = 'RUNNING' THEN now() END
        FROM (VALUES ({n1}, 'COMPLETED', 3), ({n2}, 'CANCELLED', 1), ({n3}, 'RUNNING', 1), ({n4}, 'PENDING', 0))
             AS e (n, status, attempt);
    INSERT INTO execution_events (execution_id, sequence, time, kind, state)
        SELECT n::uuid, sequence, '2030-01-01Z'::timestamptz + sequence * interval '1 s', 'state',
               jsonb_build_object('status', status, 'attempt', attempt, 'executor_id', 'e', 'exit_code', code,
                                  'error_code', error, 'error_message', '', 'stdout_size', size, 'stderr_size', 0,
                                  'stdout_sha256', 'h', 'stderr_sha256', NULL, 'output_truncated', false,
                                  'warnings', '[]'::jsonb)::json
        FROM (VALUES ({n1}, 1, 'PENDING', 0, NULL::integer, NULL::text, 0), ({n1}, 2, 'RUNNING', 1, NULL, NULL, 0),
                     ({n1}, 4, 'PENDING', 1, 7, NULL, 5), ({n1}, 5, 'RUNNING', 2, NULL, NULL, 0),
                     ({n1}, 6, 'PENDING', 2, NULL, 'TIME_LIMIT', 6), ({n1}, 7, 'RUNNING', 3, NULL, NULL, 0),
                     ({n1}, 8, 'COMPLETED', 3, 0, NULL, 8), ({n2}, 1, 'PENDING', 0, NULL, NULL, 0),
                     ({n2}, 2, 'RUNNING', 1, NULL, NULL, 0), ({n2}, 3, 'CANCELLED', 1, NULL, 'CANCELLED', 0),
                     ({n3}, 1, 'PENDING', 0, NULL, NULL, 0), ({n3}, 2, 'RUNNING', 1, NULL, NULL, 0),
                     ({n4}, 1, 'PENDING', 0, NULL, NULL, 0))
             AS s (n, sequence, status, attempt, code, error, size);
    INSERT INTO execution_events (execution_id, sequence, time, kind, stream, attempt, "offset", data)
        VALUES ({n1}, 3, now(), 'output', 1, 1, 0, 'hello');
""".format(**{f"n{n}": f"'00000000-0000-0000-0000-00000000000{n}'" for n in (1, 2, 3, 4)})  # noqa: S608 - nothing of it comes from outside
ATTEMPTS = """
    SELECT right(execution_id::text, 1)::integer, attempt, epoch, executor_id, status, exit_code, error_code,
           stdout_size, stdout_sha256, extract(second FROM started_at)::integer, extract(second FROM ended_at)::integer
    FROM execution_attempts ORDER BY execution_id, attempt
"""


@pytest.fixture
def bare_database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    with empty_database(postgres, template="template0") as url:
        yield url


async def test_an_installation_from_before_attempts_were_recorded_reads_them_out_of_its_logs(
    bare_database_url: str,
) -> None:
    engine = create_engine(bare_database_url)
    await migrations.upgrade(engine, "0003")
    async with engine.begin() as connection:
        for statement in OLD_ROWS.split(";"):
            if statement.strip():
                await connection.exec_driver_sql(statement)
    await migrations.upgrade(engine)
    async with engine.connect() as connection:
        attempts = [tuple(row) for row in await connection.exec_driver_sql(ATTEMPTS)]
        tags = list((await connection.exec_driver_sql("SELECT required_tags FROM executions")).scalars())
    await engine.dispose()

    assert attempts == [
        (1, 1, 1, "e", "FAILED", 7, None, 5, "h", 2, 4),
        (1, 2, 2, "e", "TIMEOUT", None, "TIME_LIMIT", 6, "h", 5, 6),
        (1, 3, 3, "e", "COMPLETED", 0, None, 8, "h", 7, 8),
        (2, 1, 1, "e", "CANCELLED", None, "CANCELLED", 0, "h", 2, 3),
        (3, 1, 1, "e", "RUNNING", None, None, 0, None, 2, None),
    ]
    assert tags == [[], [], [], []]


OLD_STATUSES = """
    INSERT INTO users (id, email, display_name, created_at) VALUES ({n1}, 'a@b', 'A', now());
    INSERT INTO teams (id, name, created_at) VALUES ({n1}, 't', now());
    INSERT INTO status_pages (id, team_id, slug, name, visibility, time_zone, created_by, created_at, updated_at)
        VALUES ({n1}, {n1}, 'p', 'p', 'PUBLIC', 'UTC', {n1}, now(), now());
    INSERT INTO components (id, status_page_id, name, status, created_at, updated_at)
        SELECT n::uuid, {n1}, n, 'OPERATIONAL', now(), now() FROM (VALUES ({n1}), ({n2})) AS c (n);
    INSERT INTO component_status_changes (component_id, at, status)
        SELECT n::uuid, '2030-01-01Z'::timestamptz + second * interval '1 s', 'OPERATIONAL'
        FROM (VALUES ({n1}, 1), ({n1}, 3), ({n1}, 7), ({n2}, 2)) AS s (n, second);
""".format(**{f"n{n}": f"'00000000-0000-0000-0000-00000000000{n}'" for n in (1, 2)})  # noqa: S608 - nothing of it comes from outside
SPANS = """
    SELECT right(component_id::text, 1)::integer, extract(second FROM at)::integer, extract(second FROM until)::integer
    FROM component_status_changes ORDER BY component_id, at
"""


async def test_an_installation_from_before_statuses_had_an_end_works_it_out(bare_database_url: str) -> None:
    engine = create_engine(bare_database_url)
    await migrations.upgrade(engine, "0009")
    async with engine.begin() as connection:
        for statement in OLD_STATUSES.split(";"):
            if statement.strip():
                await connection.exec_driver_sql(statement)
    await migrations.upgrade(engine)
    async with engine.connect() as connection:
        spans = [tuple(row) for row in await connection.exec_driver_sql(SPANS)]
    await engine.dispose()
    assert spans == [(1, 1, 3), (1, 3, 7), (1, 7, None), (2, 2, None)]
