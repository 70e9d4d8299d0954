"""When the log of an execution expired and when the last of it was gone, and indexes to find what is due."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIMESTAMP = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("executions", sa.Column("log_expired_at", TIMESTAMP))
    op.add_column("executions", sa.Column("log_removed_at", TIMESTAMP))
    _index("log_kept", "completed_at", "completed_at IS NOT NULL AND log_expired_at IS NULL")
    _index("log_expired", "log_expired_at", "log_expired_at IS NOT NULL AND log_removed_at IS NULL")
    _index("log_removed", "completed_at", "log_removed_at IS NOT NULL")
    op.create_index("ix_request_ids_created_at", "request_ids", ["created_at"])


def _index(name: str, column: str, condition: str) -> None:
    op.create_index(f"ix_executions_{name}", "executions", [column], postgresql_where=sa.text(condition))
