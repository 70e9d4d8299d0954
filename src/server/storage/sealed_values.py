"""What is stored sealed, by the key that it is sealed under: what a change of keys looks for and rewrites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, Table, bindparam, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.notification_tables import notification_channel_secrets, notification_channels
from kernel.secret_store import context_of
from kernel.tables import executions, secrets
from server.domain.notification_channel import context_of as channel_context_of


@dataclass(frozen=True, slots=True)
class SealedValue:
    """A value as it is stored: by which key of its table, whose it is, what it is called and sealed for."""

    key: tuple[object, ...]
    team_id: UUID
    name: str
    context: str
    key_id: str
    sealed: bytes = field(repr=False)


class SealedTable:
    """A table of sealed values, each under the key that its column `key_id` names."""

    table: Table
    key: tuple[str, ...]
    first: tuple[object, ...]
    """What is before every key."""

    async def lock_under_other_keys(
        self, session: AsyncSession, key_id: str, *, after: tuple[object, ...], limit: int, wait: bool
    ) -> list[SealedValue]:
        """Answers and locks values under any key but this, in the order of the table's keys, beginning after one.

        Those that somebody else has locked are left out, or, with `wait`, waited for. Executors read on meanwhile.
        """
        key = tuple_(*(self.table.c[name] for name in self.key))
        types = [self.table.c[name].type for name in self.key]
        query = (
            self._rows()
            .where(self.table.c.key_id != key_id, key > tuple_(*after, types=types))
            .order_by(*(self.table.c[name] for name in self.key))
            .limit(limit)
            .with_for_update(of=self.table, key_share=True, skip_locked=not wait)
        )
        return [self._value(row) for row in (await session.execute(query)).mappings()]

    async def rewrite(self, session: AsyncSession, sealed: Sequence[SealedValue]) -> None:
        """Stores other seals of the same values; the caller holds the locks. Who put a value, and when, stays."""
        if not sealed:
            return
        which = [self.table.c[name] == bindparam(f"which_{name}") for name in self.key]
        connection = await session.connection()
        await connection.execute(
            update(self.table).where(*which).values(sealed=bindparam("new_seal"), key_id=bindparam("new_key")),
            [
                {f"which_{name}": part for name, part in zip(self.key, value.key, strict=True)}
                | {"new_seal": value.sealed, "new_key": value.key_id}
                for value in sealed
            ],
        )

    async def count(self, session: AsyncSession, *, not_under: str) -> int:
        """Answers how many values are under another key than this."""
        query = select(func.count()).select_from(self.table).where(self.table.c.key_id != not_under)
        return await session.scalar(query) or 0

    def _rows(self) -> Select[Any]:
        raise NotImplementedError

    def _value(self, row: RowMapping) -> SealedValue:
        raise NotImplementedError


class _Secrets(SealedTable):
    table = secrets
    key = ("id",)
    first = (UUID(int=0),)

    def _rows(self) -> Select[Any]:
        return select(*(secrets.c[name] for name in ("id", "team_id", "name", "key_id", "sealed")))

    def _value(self, row: RowMapping) -> SealedValue:
        name, team_id = row["name"], row["team_id"]
        return SealedValue((row["id"],), team_id, name, context_of(team_id, name), row["key_id"], row["sealed"])


class _ChannelSecrets(SealedTable):
    table = notification_channel_secrets
    key = ("channel_id", "purpose")
    first = (UUID(int=0), "")

    def _rows(self) -> Select[Any]:
        columns = (notification_channel_secrets.c[name] for name in ("channel_id", "purpose", "key_id", "sealed"))
        channel = (notification_channels.c.team_id, notification_channels.c.name)
        return select(*columns, *channel).join(notification_channels)

    def _value(self, row: RowMapping) -> SealedValue:
        channel_id, purpose = row["channel_id"], row["purpose"]
        name = f"{purpose} of the notification channel {row['name']}"
        context = channel_context_of(channel_id, purpose)
        return SealedValue((channel_id, purpose), row["team_id"], name, context, row["key_id"], row["sealed"])


TABLES: tuple[SealedTable, ...] = (_Secrets(), _ChannelSecrets())


async def count_parameters(session: AsyncSession, *, not_beginning: bytes) -> int:
    """Answers how many executions have sealed parameters that begin otherwise; they lose them when they end."""
    begins = func.substring(executions.c.sealed_parameters, 1, len(not_beginning))
    query = select(func.count()).select_from(executions)
    return await session.scalar(query.where(executions.c.sealed_parameters.is_not(None), begins != not_beginning)) or 0
