"""API tokens: their records, and the hashes by which a presented one is recognised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.statement import Statement, Statements
from kernel.tables import api_tokens, memberships, runbooks, users
from server.domain.permission import Caller, Role
from server.domain.runbook import Runbook
from server.domain.team import ApiToken
from server.domain.version import Version
from server.storage import versions

_RECORD = [column for column in api_tokens.c if column.name != "secret_hash"]


@dataclass(frozen=True, slots=True)
class KnownToken:
    """What is known about a prefix: the record, the hash to compare with, and who calls with it."""

    record: ApiToken
    secret_hash: bytes = field(repr=False)
    caller: Caller


_ROLES = (
    select(func.json_object_agg(memberships.c.team_id, memberships.c.role, type_=JSON))
    .where(memberships.c.user_id == users.c.id)
    .scalar_subquery()
)
_CALLER = (*api_tokens.c, users.c.is_platform_admin, users.c.service_account, _ROLES.label("roles"))
_KNOWN = api_tokens.join(users, users.c.id == api_tokens.c.user_id)
_PRESENTED = api_tokens.c.prefix == bindparam("presented")
_WANTED = runbooks.c.id == bindparam("wanted")

_FIND_CALLER = Statement(select(*_CALLER).select_from(_KNOWN).where(_PRESENTED))
_FIND_CALLER_AND_RUNBOOK = Statement(
    select(*_CALLER, *versions.TO_EXECUTE)
    .select_from(versions.with_version(_KNOWN.outerjoin(runbooks, _WANTED)))
    .where(_PRESENTED)
)


async def find_caller(session: Statements, prefix: str) -> KnownToken | None:
    """Answers token, user and roles in one statement, because every call begins with it."""
    row = await _FIND_CALLER.one_or_none(session, {"presented": prefix})
    return None if row is None else _known(row)


async def find_caller_and_runbook(
    session: Statements, prefix: str, runbook_id: UUID, number: int
) -> tuple[KnownToken, tuple[Runbook, Version | None] | None] | None:
    """As `find_caller`, and in the same statement what `versions.find_to_execute` answers."""
    values = {"presented": prefix, "wanted": runbook_id, "number": number}
    row = await _FIND_CALLER_AND_RUNBOOK.one_or_none(session, values)
    return None if row is None else (_known(row), versions.to_execute_of(row))


def _known(row: Mapping[str, Any]) -> KnownToken:
    caller = Caller(
        user_id=row["user_id"],
        is_platform_admin=row["is_platform_admin"],
        service_account=row["service_account"] or "",
        roles={UUID(team_id): Role[role] for team_id, role in (row["roles"] or {}).items()},
    )
    record = ApiToken(**{column.name: row[column.name] for column in _RECORD})
    return KnownToken(record, row["secret_hash"], caller)


async def find(session: AsyncSession, token_id: UUID) -> ApiToken | None:
    row = (await session.execute(select(*_RECORD).where(api_tokens.c.id == token_id))).mappings().one_or_none()
    return ApiToken(**row) if row else None


async def page(session: AsyncSession, user_id: UUID, *, before: UUID | None, limit: int) -> list[ApiToken]:
    """Answers a user's tokens, newest first, that are older than `before`."""
    query = select(*_RECORD).where(api_tokens.c.user_id == user_id).order_by(api_tokens.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(api_tokens.c.id < before)
    return [ApiToken(**row) for row in (await session.execute(query)).mappings()]


async def add(session: AsyncSession, token: ApiToken, secret_hash: bytes) -> None:
    await session.execute(insert(api_tokens), [asdict(token) | {"secret_hash": secret_hash}])


async def revoke(session: AsyncSession, token_id: UUID) -> bool:
    """Revokes a token; False where it was revoked before, and then its time stays."""
    revoked = await session.execute(
        update(api_tokens)
        .where(api_tokens.c.id == token_id, api_tokens.c.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(api_tokens.c.id)
    )
    return revoked.one_or_none() is not None


async def revoke_others(session: AsyncSession, user_id: UUID, kept: UUID) -> list[ApiToken]:
    """Revokes all of a user's tokens but one, and answers those that were not revoked before."""
    revoked = await session.execute(
        update(api_tokens)
        .where(api_tokens.c.user_id == user_id, api_tokens.c.id != kept, api_tokens.c.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(*_RECORD)
    )
    return sorted((ApiToken(**row) for row in revoked.mappings()), key=lambda token: token.id)


async def touch(session: AsyncSession, token_id: UUID, at: datetime) -> None:
    """Notes the minute of the last use."""
    await session.execute(update(api_tokens).where(api_tokens.c.id == token_id).values(last_used_at=at))
