"""Pages of a list, newest first, read along an index: the first page as the thousandth, however many rows there are.

Ids are UUIDv7, so their order is that of creation, and a page goes on below the id where the one before ended. What is
inserted meanwhile neither repeats nor hides what was there.

The index is chosen here and not by the planner. Told `team_id = … AND status = … ORDER BY id DESC`, the planner may
read the primary key backwards and throw away what does not fit, because it expects matches everywhere; a team without
one failure then has its whole history read. Compared and ordered as the index is, row by row, nothing else will do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    Uuid,
    cast,
    column,
    func,
    literal,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY

_BELOW_ALL, _ABOVE_ALL = UUID(int=0), UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed: some columns of a table, and the indexes that lists of it are read along.

    `indexes` are the columns before the id of each, the one to be preferred first and the empty one, the primary key,
    last.
    """

    table: Table
    columns: Sequence[ColumnElement[Any]]
    indexes: Sequence[tuple[str, ...]]

    def page(
        self,
        wanted: Mapping[str, object],
        *,
        team_ids: Collection[UUID] | None,
        before: UUID | None,
        limit: int,
        search: Callable[[Any], ColumnElement[bool]] | None = None,
    ) -> Select[Any]:
        """Selects rows below the id `before`, of these teams alone (None: of all), with these values (None: any).

        `search` makes a condition that no index knows of the columns it is given.
        """
        values: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
        given = values.keys() | ({"team_id"} if team_ids is not None else set())
        index = next(index for index in self.indexes if set(index) <= given)
        if team_ids is None:
            return self._along(index, values, before, limit, search)
        if "team_id" not in index:
            return self._along(index, values, before, limit, search, self.table.c.team_id.in_(team_ids))
        if len(team_ids) == 1:
            return self._along(index, {**values, "team_id": next(iter(team_ids))}, before, limit, search)
        # A set of teams and an order by id are in no index together: a page of each, and of them the newest.
        ids = func.unnest(cast(list(team_ids), ARRAY(Uuid)))
        teams = ids.table_valued(column("id", Uuid)).render_derived(name="teams")
        # In words, because SQLAlchemy would take the column for a reason to read all teams within, too.
        team_id: ColumnElement[Any] = literal_column("teams.id", Uuid)
        of_team = self._along(index, {**values, "team_id": team_id}, before, limit, search).lateral("of_team")
        pages = select(*of_team.c).select_from(teams.join(of_team, true()))
        return pages.order_by(of_team.c.id.desc()).limit(limit)

    def _along(
        self,
        index: tuple[str, ...],
        values: Mapping[str, Any],
        before: UUID | None,
        limit: int,
        search: Callable[[Any], ColumnElement[bool]] | None,
        *filters: ColumnElement[bool],
    ) -> Select[Any]:
        names = (*index, "id")
        key = tuple_(*(self.table.c[name] for name in names))
        fixed = [self._value(name, values[name]) for name in index]
        rows = select(*self.columns).where(
            key < tuple_(*fixed, self._value("id", before or _ABOVE_ALL)),
            key > tuple_(*fixed, self._value("id", _BELOW_ALL)),
            *(self.table.c[name] == value for name, value in values.items() if name not in index),
            *(self.table.c[name].is_not(None) for name in index),  # an index of those that have one is good enough
            *filters,
        )
        if search is None:
            return rows.order_by(*(self.table.c[name].desc() for name in names)).limit(limit)
        # The offset keeps the planner from guessing how much is found, and sorting the whole table for it.
        ordered = rows.order_by(*(self.table.c[name].desc() for name in names)).offset(literal_column("0"))
        read = ordered.subquery("rows")
        return select(*read.c).where(search(read.c)).order_by(*(read.c[name].desc() for name in names)).limit(limit)

    def _value(self, name: str, value: Any) -> ColumnElement[Any]:
        return value if isinstance(value, ColumnElement) else literal(value, self.table.c[name].type)
