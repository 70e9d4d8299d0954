"""Statements that are composed and compiled once, when their module is loaded; whoever executes one only gives values.

What stands between a call and its first byte of output is such a statement, sent by `kernel.database.single_statements`
straight to the driver. It is written in SQLAlchemy as any other; inside of a transaction SQLAlchemy executes it.
What is left out is what SQLAlchemy does anew with each execution: it takes longer than PostgreSQL's answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.types import TypeEngine

to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Writes values of JSON columns, whichever way they go."""

_DIALECT = asyncpg_dialect(json_serializer=to_json)  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it unannotated


class Driver(Protocol):
    """A connection of asyncpg."""

    async def fetch(self, query: str, *args: Any) -> list[Sequence[Any]]: ...

    def transaction(self) -> AbstractAsyncContextManager[object]: ...


Statements = AsyncSession | Driver
"""What executes a `Statement`: a session, in its transaction, or the driver, as a transaction of its own."""


class Statement:
    """One statement that answers rows. Its columns have different names; its values are what `bindparam` names."""

    def __init__(self, composed: Select[Any] | ReturningInsert[Any, Any]) -> None:
        self._composed = composed
        compiled = composed.compile(dialect=_DIALECT)
        if not isinstance(compiled, SQLCompiler) or compiled.literal_execute_params or compiled.post_compile_params:
            raise TypeError("a statement whose text depends on its values")
        self._sql = compiled.string
        self._arguments = [_argument(compiled, name) for name in compiled.positiontup or ()]
        self._names = {name for name, _ in self._arguments if name is not None}
        self._columns = {str(column.key): _from_driver(column.type) for column in composed.exported_columns}
        if len(self._columns) < len(composed.exported_columns):
            raise TypeError("two columns of one name")

    async def all(self, on: Statements, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Answers the rows, by the names of their columns; a KeyError where a value is missing, or one too many."""
        if values.keys() != self._names:
            raise KeyError(*sorted(values.keys() ^ self._names))
        if isinstance(on, AsyncSession):
            return [dict(zip(self._columns, row, strict=True)) for row in await on.execute(self._composed, values)]
        arguments = [given if name is None else given(values[name]) for name, given in self._arguments]
        return [self._converted(record) for record in await on.fetch(self._sql, *arguments)]

    async def one_or_none(self, on: Statements, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """Answers the first row; for a statement that finds one at most."""
        rows = await self.all(on, values)
        return rows[0] if rows else None

    def _converted(self, record: Sequence[Any]) -> dict[str, Any]:
        return {name: to(value) for (name, to), value in zip(self._columns.items(), record, strict=True)}


def _argument(compiled: SQLCompiler, name: str) -> tuple[str | None, Any]:
    """Answers a value's name and what converts it; or no name, and the value itself where the statement brings it."""
    bound = compiled.binds[name]
    to_driver = bound.type.dialect_impl(_DIALECT).bind_processor(_DIALECT) or _as_it_is
    return (name, to_driver) if bound.required else (None, to_driver(bound.effective_value))


def _from_driver(kind: TypeEngine[Any]) -> Callable[[Any], Any]:
    """Answers what converts a value of that type; JSON comes parsed, by what SQLAlchemy tells each new connection."""
    return kind.dialect_impl(_DIALECT).result_processor(_DIALECT, None) or _as_it_is


def _as_it_is(value: Any) -> Any:
    return value
