"""Executors, their tags, and a record of every attempt."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TAGS = postgresql.ARRAY(sa.Text())
TIMESTAMP = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("executions", sa.Column("required_tags", TAGS, server_default=sa.text("'{}'"), nullable=False))
    op.create_table(
        "executors",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("tags", TAGS, nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("isolation", sa.JSON(), nullable=False),
        sa.Column("started_at", TIMESTAMP, nullable=False),
        sa.Column("seen_at", TIMESTAMP, nullable=False),
        sa.Column("lease_expires_at", TIMESTAMP, nullable=False),
        sa.Column("stopping", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_executors")),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "execution_attempts",
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("executor_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", TIMESTAMP, nullable=False),
        sa.Column("ended_at", TIMESTAMP),
        sa.Column("exit_code", sa.Integer()),
        sa.Column("error_code", sa.Text()),
        sa.Column("error_message", sa.Text(), server_default="", nullable=False),
        sa.Column("stdout_size", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("stderr_size", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("stdout_sha256", sa.Text()),
        sa.Column("stderr_sha256", sa.Text()),
        sa.Column("output_truncated", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint(
            "status IN ('RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT')",
            name=op.f("ck_execution_attempts_status"),
        ),
        sa.CheckConstraint("(status = 'RUNNING') = (ended_at IS NULL)", name=op.f("ck_execution_attempts_ended")),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_execution_attempts_execution_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("execution_id", "attempt", name=op.f("pk_execution_attempts")),
    )
    _remember_attempts()


def _remember_attempts() -> None:
    """Reads the attempts that there have been out of the logs: each begins and ends with a change of state.

    A claim raises epoch and attempt together. Where an execution was cancelled while it waited for its next attempt, or
    was asked to be cancelled during one, how that one went is told by its error alone.
    """
    op.execute("""
        INSERT INTO execution_attempts
            (execution_id, attempt, epoch, executor_id, status, started_at, ended_at, exit_code, error_code,
             error_message, stdout_size, stderr_size, stdout_sha256, stderr_sha256, output_truncated)
        SELECT began.execution_id, (began.state ->> 'attempt')::integer, (began.state ->> 'attempt')::integer,
            began.state ->> 'executor_id',
            CASE WHEN finished.state IS NULL THEN 'RUNNING'
                 WHEN finished.state ->> 'status' <> 'PENDING' THEN finished.state ->> 'status'
                 WHEN finished.state ->> 'error_code' = 'TIME_LIMIT' THEN 'TIMEOUT' ELSE 'FAILED' END,
            began.time, finished.time, (finished.state ->> 'exit_code')::integer, finished.state ->> 'error_code',
            coalesce(finished.state ->> 'error_message', ''),
            coalesce((finished.state ->> 'stdout_size')::bigint, 0),
            coalesce((finished.state ->> 'stderr_size')::bigint, 0),
            finished.state ->> 'stdout_sha256', finished.state ->> 'stderr_sha256',
            coalesce((finished.state ->> 'output_truncated')::boolean, false)
        FROM execution_events began
        LEFT JOIN LATERAL (
            SELECT later.state, later.time FROM execution_events later
            WHERE later.execution_id = began.execution_id AND later.sequence > began.sequence AND later.kind = 'state'
            ORDER BY later.sequence LIMIT 1
        ) finished ON true
        WHERE began.kind = 'state' AND began.state ->> 'status' = 'RUNNING'
        ORDER BY began.execution_id, began.sequence
    """)
