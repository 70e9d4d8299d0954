"""What is asked of PostgreSQL, whichever way it goes: through SQLAlchemy, or straight to the driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine


@contextmanager
def noted(engine: AsyncEngine, note: Callable[[str], None]) -> Iterator[None]:
    """Tells `note` each statement that is sent meanwhile, by `engine` or by a `Statement` in this process."""
    fetch = asyncpg.Connection.fetch

    def by_engine(_: Any, __: Any, statement: str, *___: Any) -> None:
        note(statement)

    async def by_driver(connection: Any, query: str, *arguments: Any) -> Any:
        note(query)
        return await fetch(connection, query, *arguments)

    event.listen(engine.sync_engine, "before_cursor_execute", by_engine)
    try:
        with mock.patch.object(asyncpg.Connection, "fetch", by_driver):
            yield
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", by_engine)
