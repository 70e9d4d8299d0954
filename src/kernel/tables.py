"""The tables, as SQLAlchemy Core knows them; `kernel.migrations` makes them, and a test compares the two.

Ids are UUIDv7 made in the app. States are text with a CHECK, so that a dump can be read. Times are `timestamptz`.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

Timestamp = DateTime(timezone=True)


def _id() -> Column[object]:
    return Column("id", Uuid, primary_key=True)


def _created_at() -> Column[object]:
    return Column("created_at", Timestamp, nullable=False)


users = Table(
    "users",
    metadata,
    _id(),
    Column("email", Text, nullable=False, unique=True),
    Column("display_name", Text, nullable=False),
    Column("is_platform_admin", Boolean, nullable=False, server_default=text("false")),
    Column("service_account", Text),  # what a process may call is named for it in the permission table
    _created_at(),
)

teams = Table("teams", metadata, _id(), Column("name", Text, nullable=False, unique=True), _created_at())

memberships = Table(
    "memberships",
    metadata,
    Column("team_id", Uuid, ForeignKey("teams.id"), primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id"), primary_key=True),
    Column("role", Text, nullable=False),
    CheckConstraint("role IN ('OBSERVER', 'RESPONDER', 'TEAM_ADMIN')", name="role"),
    Index(None, "user_id"),
)

services = Table(
    "services",
    metadata,
    _id(),
    Column("team_id", Uuid, ForeignKey("teams.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    _created_at(),
    UniqueConstraint("team_id", "name"),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    _id(),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("display_name", Text, nullable=False),
    Column("prefix", Text, nullable=False, unique=True),
    Column("secret_hash", LargeBinary, nullable=False),
    _created_at(),
    Column("expires_at", Timestamp),
    Column("last_used_at", Timestamp),
    Column("revoked_at", Timestamp),
    Index(None, "user_id"),
)

runbooks = Table(
    "runbooks",
    metadata,
    _id(),
    Column("team_id", Uuid, ForeignKey("teams.id"), nullable=False),
    Column("service_id", Uuid, ForeignKey("services.id")),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("status", Text, nullable=False),
    Column("current_version", Integer),
    Column("latest_version", Integer, nullable=False),
    Column("revision", BigInteger, nullable=False, server_default=text("1")),  # what the etag is made of
    Column("created_by", Uuid, ForeignKey("users.id"), nullable=False),
    _created_at(),
    Column("updated_at", Timestamp, nullable=False),
    CheckConstraint("status IN ('DRAFT', 'PENDING_REVIEW', 'APPROVED', 'DEPRECATED', 'ARCHIVED')", name="status"),
    UniqueConstraint("team_id", "name"),
    # For lists, newest first, filtered by any of these (server.storage.newest):
    Index(None, "team_id", "id"),
    Index(None, "team_id", "status", "id"),
    Index(None, "status", "id"),
    Index(None, "service_id", "id"),
)

# Written once: a trigger refuses every UPDATE.
runbook_versions = Table(
    "runbook_versions",
    metadata,
    Column("runbook_id", Uuid, ForeignKey("runbooks.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("script", Text, nullable=False),
    Column("settings", JSON, nullable=False),  # kernel.execution.content.VersionContent, all but the script
    Column("digest", Text, nullable=False),
    Column("change_note", Text, nullable=False, server_default=""),
    Column("created_by", Uuid, ForeignKey("users.id"), nullable=False),
    _created_at(),
)

# Where the review of a version stands: apart from the version, because this changes and that never does.
runbook_reviews = Table(
    "runbook_reviews",
    metadata,
    Column("runbook_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("status", Text, nullable=False),
    Column("submitted_by", Uuid, ForeignKey("users.id")),
    Column("submitted_at", Timestamp),
    Column("reviewed_by", Uuid, ForeignKey("users.id")),
    Column("reviewed_at", Timestamp),
    Column("comment", Text, nullable=False, server_default=""),
    ForeignKeyConstraint(["runbook_id", "version"], ["runbook_versions.runbook_id", "runbook_versions.version"]),
    CheckConstraint("status IN ('DRAFT', 'PENDING_REVIEW', 'APPROVED', 'REJECTED')", name="status"),
)

executions = Table(
    "executions",
    metadata,
    _id(),
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
    _created_at(),
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

# First answers of calls that carried a request id, so that a repeat answers the same.
request_ids = Table(
    "request_ids",
    metadata,
    Column("caller_id", Uuid, primary_key=True),
    Column("method", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),  # SHA-256 of the request without its request id
    Column("resource", JSONB, nullable=False),
    _created_at(),
    Index(None, "created_at"),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("time", Timestamp, nullable=False),
    Column("actor_id", Uuid),
    Column("action", Text, nullable=False),
    Column("team_id", Uuid),
    Column("resource_type", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("outcome", Text, nullable=False, server_default="DONE"),
    Column("peer", Text, nullable=False, server_default=""),
    Column("request_id", Text, nullable=False, server_default=""),
    CheckConstraint("outcome IN ('DONE', 'DENIED')", name="outcome"),
    Index(None, "team_id", "id"),
    Index(None, "actor_id", "id"),
    Index(None, "resource_id", "id"),
)

# Which of them wait to be sealed, filled by a trigger. Ids are taken before the commit, so that a small one may appear
# after greater ones were sealed: no highest id tells what is left to do.
audit_unsealed = Table(
    "audit_unsealed", metadata, Column("event_id", BigInteger, primary_key=True, autoincrement=False)
)

# The chain over them, written by `jobs` in order and in batches. Both are written once: triggers refuse the rest.
audit_seals = Table(
    "audit_seals",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", BigInteger, nullable=False, unique=True),  # no foreign key: a lost event must show, not block
    Column("previous_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

secrets = Table(
    "secrets",
    metadata,
    _id(),
    Column("team_id", Uuid, ForeignKey("teams.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("key_id", Text, nullable=False),  # under which key it is sealed; what a rotation looks for
    Column("created_by", Uuid, ForeignKey("users.id"), nullable=False),
    _created_at(),
    Column("updated_by", Uuid, ForeignKey("users.id"), nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    Index("uq_secrets_team_id_name", "team_id", func.lower(text("name")), unique=True),
    Index(None, "key_id"),
)

# Who a user is at an issuer of tokens that this installation trusts.
identities = Table(
    "identities",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    _created_at(),
    Index(None, "user_id"),
)
