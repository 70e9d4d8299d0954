"""The tables of executions, of what each left, and of who runs them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kernel.tables.schema import Timestamp, created_at, id_column, metadata

executions = Table(
    "executions",
    metadata,
    id_column(),
    Column("runbook_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("team_id", Uuid, ForeignKey("teams.id"), nullable=False),
    Column("digest", Text, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("triggered_by", Uuid, ForeignKey("users.id")),
    Column("incident_id", Uuid),
    Column("workflow_run_id", Uuid),
    Column("parameters", JSON, nullable=False),  # sensitive values masked
    Column("sealed_parameters", LargeBinary),  # the sensitive ones, encrypted; gone once the execution has ended
    Column("max_attempts", Integer, nullable=False),
    Column("concurrency", Text, nullable=False),  # the version's, repeated here for the claim
    Column(
        "required_tags", ARRAY(Text), nullable=False, server_default=text("'{}'")
    ),  # likewise; kernel.execution.tags
    Column("arrival", BigInteger, Identity(always=True), nullable=False),  # who came first (kernel.turns)
    created_at(),
    # What the lifecycle changes (kernel.lifecycle):
    Column("status", Text, nullable=False),
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    Column("epoch", Integer, nullable=False, server_default=text("0")),  # grows with every claim; fences every write
    Column("executor_id", Text),
    Column("lease_expires_at", Timestamp),
    Column("run_after", Timestamp, nullable=False, server_default=func.now()),
    Column("rung_at", Timestamp),
    Column("started_at", Timestamp),
    Column("completed_at", Timestamp),
    Column("cancel_requested_at", Timestamp),
    Column("exit_code", Integer),
    Column("error_code", Text),
    Column("error_message", Text, nullable=False, server_default=""),
    Column("isolation", JSON, nullable=False, server_default=text("'[]'")),
    Column("output_truncated", Boolean, nullable=False, server_default=text("false")),
    Column("masked_count", BigInteger, nullable=False, server_default=text("0")),
    Column("stdout_size", BigInteger, nullable=False, server_default=text("0")),
    Column("stderr_size", BigInteger, nullable=False, server_default=text("0")),
    Column("stdout_sha256", Text),
    Column("stderr_sha256", Text),
    Column("stdout", Text, nullable=False, server_default=""),
    Column("stderr", Text, nullable=False, server_default=""),
    Column("output", JSONB(none_as_null=True)),  # what the script left in $ONCALL_OUTPUT, masked
    Column("output_error", Text, nullable=False, server_default=""),  # why there is none, where it left something
    Column("failure_told_at", Timestamp),  # its team's channels were told of how it failed
    # What the retention does after the end (server.storage.expired_executions):
    Column(
        "log_expired_at", Timestamp
    ),  # from then on nobody is shown its log, and what there is of it is being removed
    Column("log_removed_at", Timestamp),  # the last of it was gone
    ForeignKeyConstraint(["runbook_id", "version"], ["runbook_versions.runbook_id", "runbook_versions.version"]),
    CheckConstraint("status IN ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT')", name="status"),
    CheckConstraint("(status = 'RUNNING') = (lease_expires_at IS NOT NULL)", name="running_is_leased"),
    CheckConstraint("concurrency IN ('ALLOW', 'FORBID', 'QUEUE')", name="concurrency"),
    # For lists, newest first, filtered by any of these (server.storage.newest):
    Index(None, "team_id", "id"),
    Index(None, "team_id", "status", "id"),
    Index(None, "status", "id"),
    Index(None, "runbook_id", "id"),
    Index(None, "runbook_id", "status", "id"),
    Index("ix_executions_incident", "incident_id", "id", postgresql_where=text("incident_id IS NOT NULL")),
    Index("ix_executions_workflow_run", "workflow_run_id", "id", postgresql_where=text("workflow_run_id IS NOT NULL")),
    Index(
        "ix_executions_unended",
        "runbook_id",
        "arrival",
        postgresql_where=text("status = 'PENDING' OR status = 'RUNNING'"),
    ),
    Index("ix_executions_pending", "run_after", postgresql_where=text("status = 'PENDING'")),
    Index("ix_executions_running", "executor_id", postgresql_where=text("status = 'RUNNING'")),
    Index(
        "ix_executions_failure_untold",
        "completed_at",
        postgresql_where=text("(status = 'FAILED' OR status = 'TIMEOUT') AND failure_told_at IS NULL"),
    ),
    # Each ended execution stands in one of these, so that what is due is found where it begins:
    Index(
        "ix_executions_log_kept",
        "completed_at",
        postgresql_where=text("completed_at IS NOT NULL AND log_expired_at IS NULL"),
    ),
    Index(
        "ix_executions_log_expired",
        "log_expired_at",
        postgresql_where=text("log_expired_at IS NOT NULL AND log_removed_at IS NULL"),
    ),
    Index("ix_executions_log_removed", "completed_at", postgresql_where=text("log_removed_at IS NOT NULL")),
    postgresql_with={"fillfactor": "70"},  # renewals rewrite a row in its own page
)

# Every attempt, written by the statements that begin and end it (kernel.lifecycle).
execution_attempts = Table(
    "execution_attempts",
    metadata,
    Column("execution_id", Uuid, ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("executor_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("started_at", Timestamp, nullable=False),
    Column("ended_at", Timestamp),
    Column("exit_code", Integer),
    Column("error_code", Text),
    Column("error_message", Text, nullable=False, server_default=""),
    Column("stdout_size", BigInteger, nullable=False, server_default=text("0")),
    Column("stderr_size", BigInteger, nullable=False, server_default=text("0")),
    Column("stdout_sha256", Text),
    Column("stderr_sha256", Text),
    Column("output_truncated", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint("status IN ('RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT')", name="status"),
    CheckConstraint("(status = 'RUNNING') = (ended_at IS NULL)", name="ended"),
)

execution_events = Table(
    "execution_events",
    metadata,
    Column("execution_id", Uuid, ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("time", Timestamp, nullable=False),
    Column("kind", Text, nullable=False),
    Column("stream", SmallInteger),
    Column("attempt", Integer),
    Column("offset", BigInteger),
    Column("data", LargeBinary),
    Column("state", JSON),
    CheckConstraint("kind IN ('state', 'output', 'truncated')", name="kind"),
    postgresql_with={"autovacuum_vacuum_insert_scale_factor": "0.5"},
)

# Who runs executions, as each told of itself with its last renewal. What it says decides nothing about an execution.
executors = Table(
    "executors",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("tags", ARRAY(Text), nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("running", Integer, nullable=False),
    Column("isolation", JSON, nullable=False),
    Column("started_at", Timestamp, nullable=False),
    Column("seen_at", Timestamp, nullable=False),
    Column("lease_expires_at", Timestamp, nullable=False),  # lost after that
    Column("stopping", Boolean, nullable=False),
    postgresql_with={"fillfactor": "50"},  # renewals rewrite a row in its own page
)
