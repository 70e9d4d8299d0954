"""The tables of incidents and maintenances, and of what was said of each; a third file of `kernel.tables`.

What an incident does to components just now stands beside what each update changed, because the first is asked for with
every page and the second only told.
"""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kernel.tables.schema import Timestamp, created_at, id_column, metadata, revision

incidents = Table(
    "incidents",
    metadata,
    id_column(),
    Column("team_id", Uuid, ForeignKey("teams.id"), nullable=False),
    Column("service_id", Uuid, ForeignKey("services.id")),
    Column("status_page_id", Uuid, ForeignKey("status_pages.id", ondelete="SET NULL")),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("severity", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("labels", JSONB, nullable=False, server_default=text("'{}'")),
    Column("started_at", Timestamp, nullable=False),
    Column("acknowledged_at", Timestamp),
    Column("acknowledged_by", Uuid, ForeignKey("users.id")),
    Column("monitoring_at", Timestamp),
    Column("resolved_at", Timestamp),
    revision(),
    Column("created_by", Uuid, ForeignKey("users.id")),  # NULL: the platform
    created_at(),
    Column("updated_at", Timestamp, nullable=False),
    CheckConstraint("severity IN ('SEV1', 'SEV2', 'SEV3', 'SEV4')", name="severity"),
    CheckConstraint("status IN ('INVESTIGATING', 'IDENTIFIED', 'MONITORING', 'RESOLVED', 'POSTMORTEM')", name="status"),
    CheckConstraint("(status IN ('RESOLVED', 'POSTMORTEM')) = (resolved_at IS NOT NULL)", name="resolved"),
    # For lists, newest first, filtered by any of these (server.storage.newest):
    Index(None, "team_id", "id"),
    Index(None, "team_id", "status", "id"),
    Index(None, "team_id", "severity", "id"),
    Index(None, "status_page_id", "id"),
    Index(None, "service_id", "id"),
    Index("ix_incidents_open", "status_page_id", postgresql_where=text("resolved_at IS NULL")),
    Index("ix_incidents_resolved", "resolved_at", postgresql_where=text("resolved_at IS NOT NULL")),
)

# What an incident does, or did, to components; OPERATIONAL once it no longer affects one.
incident_impacts = Table(
    "incident_impacts",
    metadata,
    Column("incident_id", Uuid, ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True),
    Column("component_id", Uuid, primary_key=True),  # no foreign key: what was said stays when a component goes
    Column("status", Text, nullable=False),
    Column("worst", Text, nullable=False),  # ever
    CheckConstraint(
        "status IN ('OPERATIONAL', 'DEGRADED_PERFORMANCE', 'PARTIAL_OUTAGE', 'MAJOR_OUTAGE')", name="status"
    ),
    Index(None, "component_id"),
)

incident_updates = Table(
    "incident_updates",
    metadata,
    id_column(),
    Column("incident_id", Uuid, ForeignKey("incidents.id", ondelete="CASCADE"), nullable=False),
    Column("status", Text, nullable=False),
    Column("message", Text, nullable=False),
    # A list of changes, each with component_id, old_status and new_status.
    Column("impact_changes", JSONB, nullable=False, server_default=text("'[]'")),
    Column("created_by", Uuid, ForeignKey("users.id")),  # NULL: the platform
    created_at(),
    Column("severity", Text),  # NULL: as before
    CheckConstraint("severity IN ('SEV1', 'SEV2', 'SEV3', 'SEV4')", name="severity"),
    Index(None, "incident_id", "id"),
)

maintenances = Table(
    "maintenances",
    metadata,
    id_column(),
    Column("status_page_id", Uuid, ForeignKey("status_pages.id", ondelete="CASCADE"), nullable=False),
    Column("title", Text, nullable=False),
    Column("component_ids", ARRAY(Uuid), nullable=False),  # groups as groups: who joins one later is meant, too
    Column("status", Text, nullable=False),
    Column("scheduled_for", Timestamp, nullable=False),
    Column("scheduled_until", Timestamp, nullable=False),
    Column("started_at", Timestamp),
    Column("ended_at", Timestamp),
    revision(),
    Column("created_by", Uuid, ForeignKey("users.id"), nullable=False),
    created_at(),
    Column("updated_at", Timestamp, nullable=False),
    Column("told_at", Timestamp, nullable=False),  # as updated_at, but for changes of its components alone
    CheckConstraint("status IN ('SCHEDULED', 'IN_PROGRESS', 'VERIFYING', 'COMPLETED', 'CANCELLED')", name="status"),
    CheckConstraint("scheduled_for < scheduled_until", name="ends_after_it_begins"),
    CheckConstraint("(status IN ('COMPLETED', 'CANCELLED')) = (ended_at IS NOT NULL)", name="ended"),
    Index(None, "status_page_id", "id"),
    Index(None, "status_page_id", "status", "id"),
    Index("ix_maintenances_to_begin", "scheduled_for", postgresql_where=text("status = 'SCHEDULED'")),
    Index(
        "ix_maintenances_to_complete",
        "scheduled_until",
        postgresql_where=text("status = 'IN_PROGRESS' OR status = 'VERIFYING'"),
    ),
    Index("ix_maintenances_ended", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
)

maintenance_updates = Table(
    "maintenance_updates",
    metadata,
    id_column(),
    Column("maintenance_id", Uuid, ForeignKey("maintenances.id", ondelete="CASCADE"), nullable=False),
    Column("status", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("created_by", Uuid, ForeignKey("users.id")),  # NULL: the platform
    created_at(),
    Index(None, "maintenance_id", "id"),
)
