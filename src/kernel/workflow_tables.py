"""The tables of workflows, of their runs, and of what happens to incidents; a file of `kernel.tables`.

A run is rows and nothing else: whoever locks its row can move it on (docs/decisions/0033).
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kernel.tables.schema import Timestamp, created_at, id_column, metadata, revision

workflows = Table(
    "workflows",
    metadata,
    id_column(),
    Column("team_id", Uuid, ForeignKey("teams.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("enabled", Boolean, nullable=False),
    Column("event", Text, nullable=False),  # the trigger's, for those who look for what an event starts
    Column("definition", JSONB, nullable=False),  # server.domain.workflow.codec
    Column("version", Integer, nullable=False),
    Column("failed_runs", Integer, nullable=False, server_default=text("0")),  # of this version, one after the other
    Column("most_failed_runs", Integer, nullable=False, server_default=text("0")),  # of its brake; 0: any number
    revision(),
    Column("created_by", Uuid, ForeignKey("users.id"), nullable=False),
    created_at(),
    Column("updated_at", Timestamp, nullable=False),
    UniqueConstraint("team_id", "name"),
    CheckConstraint("event IN ('MANUAL', 'INCIDENT_CREATED', 'INCIDENT_UPDATED', 'INCIDENT_RESOLVED')", name="event"),
    # For lists, newest first, filtered by any of these (server.storage.newest):
    Index(None, "team_id", "id"),
    Index(None, "team_id", "event", "id"),
    Index(None, "event", "id"),
    Index(
        "ix_workflows_failing", "id", postgresql_where=text("most_failed_runs > 0 AND failed_runs >= most_failed_runs")
    ),
)

workflow_runs = Table(
    "workflow_runs",
    metadata,
    id_column(),
    Column("workflow_id", Uuid, nullable=False),  # no foreign key: runs stay when their workflow goes
    Column("workflow_version", Integer, nullable=False),
    Column("team_id", Uuid, ForeignKey("teams.id"), nullable=False),
    Column("incident_id", Uuid),
    Column("event", Text, nullable=False),
    Column("event_id", Uuid),  # of incident_events; NULL: somebody ran it
    Column("triggered_by", Uuid, ForeignKey("users.id")),  # NULL: the platform
    Column("trigger", JSONB, nullable=False),  # what templates see as `trigger`
    Column("definition", JSONB, nullable=False),  # the one that it started with
    created_at(),
    Column("deadline", Timestamp, nullable=False),
    # What moves:
    Column("status", Text, nullable=False),
    Column("problem", Text, nullable=False, server_default=""),
    Column("stop_reason", Text, nullable=False, server_default=""),  # of its brake; empty: it goes on
    Column("cancel_requested_at", Timestamp),
    Column("cancel_requested_by", Uuid, ForeignKey("users.id")),
    Column("wake_at", Timestamp),  # when to look at it again, even if nothing is heard; NULL: nothing is due by itself
    Column("completed_at", Timestamp),
    revision(),
    CheckConstraint("event IN ('MANUAL', 'INCIDENT_CREATED', 'INCIDENT_UPDATED', 'INCIDENT_RESOLVED')", name="event"),
    CheckConstraint(
        "status IN ('RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT', 'STOPPED')",
        name="status",
    ),
    CheckConstraint("(status = 'RUNNING') = (completed_at IS NULL)", name="completed"),
    UniqueConstraint("workflow_id", "event_id"),  # an event starts a workflow once
    # For lists, newest first, filtered by any of these (server.storage.newest):
    Index(None, "team_id", "id"),
    Index(None, "team_id", "status", "id"),
    Index(None, "status", "id"),
    Index(None, "workflow_id", "id"),
    Index("ix_workflow_runs_incident", "incident_id", "id", postgresql_where=text("incident_id IS NOT NULL")),
    Index("ix_workflow_runs_unended", "workflow_id", postgresql_where=text("status = 'RUNNING'")),
    Index("ix_workflow_runs_due", "wake_at", postgresql_where=text("wake_at IS NOT NULL")),
    Index("ix_workflow_runs_ended", "completed_at", postgresql_where=text("completed_at IS NOT NULL")),
    postgresql_with={"fillfactor": "70"},  # each step rewrites a row in its own page
)

# The nodes of a run that are no longer PENDING: one without a row is.
workflow_node_runs = Table(
    "workflow_node_runs",
    metadata,
    Column("run_id", Uuid, ForeignKey("workflow_runs.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),  # empty: the offer of the run's compensation
    Column("status", Text, nullable=False),
    Column("problem", Text, nullable=False, server_default=""),
    Column("output", JSONB, nullable=False, server_default=text("'{}'")),
    Column("awaits", Text),  # what its work outside is, while it goes on
    Column("execution_id", Uuid, unique=True),
    Column("question", Text, nullable=False, server_default=""),
    Column("role", Text),
    Column("decision", JSONB(none_as_null=True)),  # somebody's word, until the run has heard it
    Column("started_at", Timestamp),
    Column("deadline", Timestamp),
    Column("due_at", Timestamp),
    Column("completed_at", Timestamp),
    CheckConstraint(
        "status IN ('PENDING', 'RUNNING', 'WAITING', 'SUCCEEDED', 'FAILED', 'SKIPPED', 'CANCELLED', 'TIMEOUT')",
        name="status",
    ),
    CheckConstraint("awaits IN ('EXECUTION', 'DELIVERY', 'DECISION')", name="awaits"),
    CheckConstraint("role IN ('RESPONDER', 'TEAM_ADMIN')", name="role"),
    Index("ix_workflow_node_runs_awaiting", "awaits", "run_id", postgresql_where=text("awaits IS NOT NULL")),
    postgresql_with={"fillfactor": "70"},
)

# What happened to incidents, written in the transaction in which it does: an outbox that `jobs` reads.
incident_events = Table(
    "incident_events",
    metadata,
    id_column(),
    Column("incident_id", Uuid, ForeignKey("incidents.id", ondelete="CASCADE"), nullable=False),
    Column("team_id", Uuid, ForeignKey("teams.id"), nullable=False),
    Column("event", Text, nullable=False),
    Column("incident", JSONB, nullable=False),  # as it was then, in the form in which templates see it
    Column("caused_by", Uuid, ForeignKey("users.id")),  # NULL: the platform
    created_at(),
    Column("handled_at", Timestamp),
    Column("tries", Integer, nullable=False, server_default=text("0")),  # how often handling it did not come to its end
    Column("try_at", Timestamp),  # before then nobody tries again; NULL: it may be taken at once
    Column("left_workflows", ARRAY(Uuid)),  # which of its workflows are still to be looked at; NULL: all of them
    CheckConstraint("event IN ('INCIDENT_CREATED', 'INCIDENT_UPDATED', 'INCIDENT_RESOLVED')", name="event"),
    Index(None, "incident_id"),
    Index("ix_incident_events_unhandled", "id", postgresql_where=text("handled_at IS NULL")),
    Index("ix_incident_events_handled", "handled_at", postgresql_where=text("handled_at IS NOT NULL")),
)
