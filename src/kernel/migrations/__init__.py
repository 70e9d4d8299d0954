"""Alembic migrations; `upgrade` brings a database to the newest revision, whoever else tries the same at once."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

MIGRATION_LOCK = 7_102_024_110_001  # any number that nothing else in this database locks


def config() -> Config:
    """Answers the configuration that alembic's commands want; there is no alembic.ini."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    return settings


async def upgrade(engine: AsyncEngine, revision: str = "head") -> None:
    """Applies what is missing, under an advisory lock, in one transaction: all of it or nothing."""
    async with engine.begin() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        await connection.run_sync(_upgrade, revision)


def _upgrade(connection: Connection, revision: str) -> None:
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, revision)
