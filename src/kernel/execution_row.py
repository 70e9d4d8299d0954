"""Changing one row of `executions`, and the snapshot of it that its log repeats."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.execution.status import PENDING
from kernel.tables import executions

STATE_COLUMNS = (
    "status",
    "attempt",
    "executor_id",
    "started_at",
    "completed_at",
    "cancel_requested_at",
    "exit_code",
    "error_code",
    "error_message",
    "isolation",
    "output_truncated",
    "stdout_size",
    "stderr_size",
    "stdout_sha256",
    "stderr_sha256",
    "masked_count",
)
"""The columns of `executions` that a snapshot in the log repeats; all others never change."""

NO_END: Mapping[str, Any] = {
    "exit_code": None,
    "error_code": None,
    "error_message": "",
    "isolation": [],
    "output_truncated": False,
    "stdout_size": 0,
    "stderr_size": 0,
    "stdout_sha256": None,
    "stderr_sha256": None,
    "masked_count": 0,
}
"""What the end of an attempt tells, while there is none: the next attempt begins without a word of the one before."""


NEVER_CLAIMED: Mapping[str, Any] = {
    "status": PENDING,
    "attempt": 0,
    "executor_id": None,
    "started_at": None,
    "completed_at": None,
    "cancel_requested_at": None,
    **NO_END,
}
"""The snapshot of an execution that has just been created."""


async def update_locked(session: AsyncSession, execution_id: UUID, **values: Any) -> RowMapping:
    """Changes an execution whose row the caller has locked."""
    query = update(executions).where(executions.c.id == execution_id).values(**values).returning(executions)
    row: RowMapping = (await session.execute(query)).mappings().one()
    return row


def snapshot_of(row: RowMapping) -> dict[str, Any]:
    """Answers `STATE_COLUMNS` as they stand in the log."""
    state = {name: row[name] for name in STATE_COLUMNS}
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in state.items()}
