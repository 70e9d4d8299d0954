"""The migrations make what the tables say, and nothing else."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from kernel import migrations, status_page_tables
from kernel.database import create_engine


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, status_page_tables.metadata))


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
