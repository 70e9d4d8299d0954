"""Versions of runbooks, written once, and their reviews."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import FromClause, Integer, RowMapping, Select, bindparam, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.execution.content import VersionContent
from kernel.statement import Statement, Statements
from kernel.tables import runbook_reviews, runbook_versions, runbooks
from server.domain.runbook import Runbook
from server.domain.version import Review, ReviewStatus, Version
from server.storage.runbooks import runbook_of

_KEY = (runbook_versions.c.runbook_id == runbook_reviews.c.runbook_id) & (
    runbook_versions.c.version == runbook_reviews.c.version
)
_REVIEW = (
    runbook_reviews.c.status,
    runbook_reviews.c.submitted_by,
    runbook_reviews.c.submitted_at,
    runbook_reviews.c.reviewed_by,
    runbook_reviews.c.reviewed_at,
    runbook_reviews.c.comment,
)
_HEAD = tuple(column for column in runbook_versions.c if column.name != "script")


async def find(session: AsyncSession, runbook_id: UUID, number: int) -> Version | None:
    query = _of(runbook_id, runbook_versions.c.script).where(runbook_versions.c.version == number)
    row = (await session.execute(query)).mappings().one_or_none()
    return _whole(row) if row else None


TO_EXECUTE = (
    *(column.label(f"runbook_{column.name}") for column in runbooks.c),
    *(column.label(f"version_{column.name}") for column in _HEAD),
    *(column.label(f"review_{column.name}") for column in _REVIEW),
)
"""The columns of which `to_execute_of` makes a runbook and a version of it."""


def with_version(runbook: FromClause) -> FromClause:
    """Joins to `runbook`, which has at most one, its version of the given `number`, 0 meaning the current one."""
    wanted = func.coalesce(func.nullif(bindparam("number", type_=Integer), 0), runbooks.c.current_version, 1)
    versioned = (runbook_versions.c.runbook_id == runbooks.c.id) & (runbook_versions.c.version == wanted)
    return runbook.outerjoin(runbook_versions.join(runbook_reviews, _KEY), versioned)


_TO_EXECUTE = Statement(
    select(*TO_EXECUTE).select_from(with_version(runbooks)).where(runbooks.c.id == bindparam("wanted"))
)


async def find_to_execute(session: Statements, runbook_id: UUID, number: int) -> tuple[Runbook, Version | None] | None:
    """Answers a runbook and a version of it, 0 meaning the current one, in one read and with an empty script.

    Who executes a runbook waits for this, and the script is the executor's business.
    """
    row = await _TO_EXECUTE.one_or_none(session, {"wanted": runbook_id, "number": number})
    return None if row is None else to_execute_of(row)


def to_execute_of(row: Mapping[str, Any]) -> tuple[Runbook, Version | None] | None:
    """Answers what `TO_EXECUTE` holds; None where there is no runbook in it."""
    if row["runbook_id"] is None:
        return None
    runbook = runbook_of({column.name: row[f"runbook_{column.name}"] for column in runbooks.c})
    if row["version_version"] is None:
        return runbook, None
    version = {column.name: row[f"version_{column.name}"] for column in _HEAD} | {"script": ""}
    return runbook, _version(version, {column.name: row[f"review_{column.name}"] for column in _REVIEW})


async def page(session: AsyncSession, runbook_id: UUID, *, before: int | None, limit: int) -> list[Version]:
    """Answers versions older than `before`, newest first, with empty scripts: a page of whole ones could be 500 MiB."""
    query = _of(runbook_id, literal("").label("script")).order_by(runbook_versions.c.version.desc()).limit(limit)
    if before is not None:
        query = query.where(runbook_versions.c.version < before)
    return [_whole(row) for row in (await session.execute(query)).mappings()]


async def add(session: AsyncSession, version: Version) -> None:
    row = {
        "runbook_id": version.runbook_id,
        "version": version.number,
        "script": version.content.script,
        "settings": version.content.to_json(),
        "digest": version.digest,
        "change_note": version.change_note,
        "created_by": version.created_by,
        "created_at": version.created_at,
    }
    await session.execute(insert(runbook_versions), [row])
    key = {"runbook_id": version.runbook_id, "version": version.number}
    await session.execute(insert(runbook_reviews), [key | _review_row(version.review)])


async def save_review(session: AsyncSession, version: Version) -> None:
    """Writes the review; the caller holds the lock of the runbook."""
    await session.execute(
        update(runbook_reviews)
        .where(runbook_reviews.c.runbook_id == version.runbook_id, runbook_reviews.c.version == version.number)
        .values(_review_row(version.review))
    )


async def any_waits(session: AsyncSession, runbook_id: UUID, *, but: int | None = None) -> bool:
    """Whether a version of the runbook waits for review, other than `but`."""
    query = select(runbook_reviews.c.version).where(
        runbook_reviews.c.runbook_id == runbook_id, runbook_reviews.c.status == ReviewStatus.PENDING_REVIEW
    )
    if but is not None:
        query = query.where(runbook_reviews.c.version != but)
    return await session.scalar(query.limit(1)) is not None


def _of(runbook_id: UUID, script: Any) -> Select[Any]:
    return (
        select(*_HEAD, script, *_REVIEW).join(runbook_reviews, _KEY).where(runbook_versions.c.runbook_id == runbook_id)
    )


def _review_row(review: Review) -> dict[str, Any]:
    return {column.name: getattr(review, column.name) for column in _REVIEW}


def _whole(row: RowMapping) -> Version:
    return _version(row, {column.name: row[column.name] for column in _REVIEW})


def _version(row: RowMapping | Mapping[str, Any], review: Mapping[str, Any]) -> Version:
    return Version(
        runbook_id=row["runbook_id"],
        number=row["version"],
        content=VersionContent.from_json(row["script"], row["settings"]),
        digest=row["digest"],
        change_note=row["change_note"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        review=Review(**{**review, "status": ReviewStatus(review["status"])}),
    )
