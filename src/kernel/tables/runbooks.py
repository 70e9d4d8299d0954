"""The tables of runbooks, of their versions and of the reviews of these."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from kernel.tables.schema import Timestamp, created_at, id_column, metadata, revision

runbooks = Table(
    "runbooks",
    metadata,
    id_column(),
    Column("team_id", Uuid, ForeignKey("teams.id"), nullable=False),
    Column("service_id", Uuid, ForeignKey("services.id")),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("status", Text, nullable=False),
    Column("current_version", Integer),
    Column("latest_version", Integer, nullable=False),
    revision(),
    Column("created_by", Uuid, ForeignKey("users.id"), nullable=False),
    created_at(),
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
    created_at(),
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
