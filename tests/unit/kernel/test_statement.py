"""What a statement sends to the driver, without a driver: its text, its values, its rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from sqlalchemy import ARRAY, JSON, Column, Integer, MetaData, Table, Text, bindparam, insert, literal_column, select

from kernel.statement import Statement

things = Table(
    "things",
    MetaData(),
    Column("id", Integer),
    Column("name", Text),
    Column("detail", JSON),
)


class Said:
    """A driver that answers what it was given to answer, and keeps what it was asked."""

    def __init__(self, *answer: Sequence[Any]) -> None:
        self.answer = list(answer)
        self.query, self.arguments = "", ()

    async def fetch(self, query: str, *args: Any) -> list[Sequence[Any]]:
        self.query, self.arguments = query, args
        return self.answer

    def transaction(self) -> AbstractAsyncContextManager[object]:
        raise AssertionError("a statement begins no transaction")


def test_values_are_sent_in_the_order_of_the_text_and_converted() -> None:
    new = insert(things).values(id=7, detail=bindparam("told"), name=bindparam("called")).returning(things.c.id)
    driver = Said((7,))
    rows = asyncio.run(Statement(new).all(driver, {"told": {"ä": 1}, "called": "x"}))
    assert rows == [{"id": 7}]
    assert driver.query == (
        "INSERT INTO things (id, name, detail) VALUES ($1::INTEGER, $2::VARCHAR, $3::JSON) RETURNING things.id"
    )
    assert driver.arguments == (7, "x", '{"ä":1}')


def test_rows_are_converted_and_named_by_their_labels() -> None:
    parts = literal_column("parts", ARRAY(Text, as_tuple=True)).label("parts")
    query = select(things.c.name.label("called"), parts).where(things.c.id == bindparam("wanted"))
    row = asyncio.run(Statement(query).one_or_none(Said(("x", ["a", "b"])), {"wanted": 1}))
    assert row == {"called": "x", "parts": ("a", "b")}


def test_where_nothing_is_found_there_is_none() -> None:
    query = select(things.c.id)
    assert asyncio.run(Statement(query).one_or_none(Said(), {})) is None


def test_a_missing_value_is_not_taken_for_null_and_one_too_many_is_not_lost() -> None:
    query = select(things.c.id).where(things.c.name == bindparam("called"))
    with pytest.raises(KeyError, match="called"):
        asyncio.run(Statement(query).all(Said(), {}))
    with pytest.raises(KeyError, match="told"):
        asyncio.run(Statement(query).all(Said(), {"called": "x", "told": "y"}))


def test_a_text_that_depends_on_values_is_refused() -> None:
    with pytest.raises(TypeError, match="depends on its values"):
        Statement(select(things.c.id).where(things.c.id.in_(bindparam("wanted", expanding=True))))


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(TypeError, match="two columns of one name"):
        Statement(select(things.c.id, things.alias("others").c.id))
