"""Workflows, their runs, and what happens to incidents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("incident_updates", sa.Column("severity", sa.Text(), nullable=True))
    severities = "severity IN ('SEV1', 'SEV2', 'SEV3', 'SEV4')"
    op.create_check_constraint(op.f("ck_incident_updates_severity"), "incident_updates", severities)
    op.create_table(
        "workflow_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("workflow_version", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=True),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=True),
        sa.Column("triggered_by", sa.Uuid(), nullable=True),
        sa.Column("trigger", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("definition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("stop_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_requested_by", sa.Uuid(), nullable=True),
        sa.Column("wake_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("(status = 'RUNNING') = (completed_at IS NULL)", name=op.f("ck_workflow_runs_completed")),
        sa.CheckConstraint(
            "event IN ('MANUAL', 'INCIDENT_CREATED', 'INCIDENT_UPDATED', 'INCIDENT_RESOLVED')",
            name=op.f("ck_workflow_runs_event"),
        ),
        sa.CheckConstraint(
            "status IN ('RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT', 'STOPPED')",
            name=op.f("ck_workflow_runs_status"),
        ),
        sa.ForeignKeyConstraint(
            ["cancel_requested_by"], ["users.id"], name=op.f("fk_workflow_runs_cancel_requested_by")
        ),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_workflow_runs_team_id")),
        sa.ForeignKeyConstraint(["triggered_by"], ["users.id"], name=op.f("fk_workflow_runs_triggered_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow_runs")),
        sa.UniqueConstraint("workflow_id", "event_id", name=op.f("uq_workflow_runs_workflow_id_event_id")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(
        "ix_workflow_runs_due",
        "workflow_runs",
        ["wake_at"],
        unique=False,
        postgresql_where=sa.text("wake_at IS NOT NULL"),
    )
    op.create_index(
        "ix_workflow_runs_ended",
        "workflow_runs",
        ["completed_at"],
        unique=False,
        postgresql_where=sa.text("completed_at IS NOT NULL"),
    )
    op.create_index(
        "ix_workflow_runs_incident",
        "workflow_runs",
        ["incident_id", "id"],
        unique=False,
        postgresql_where=sa.text("incident_id IS NOT NULL"),
    )
    op.create_index(op.f("ix_workflow_runs_status_id"), "workflow_runs", ["status", "id"], unique=False)
    op.create_index(op.f("ix_workflow_runs_team_id_id"), "workflow_runs", ["team_id", "id"], unique=False)
    op.create_index(
        op.f("ix_workflow_runs_team_id_status_id"), "workflow_runs", ["team_id", "status", "id"], unique=False
    )
    op.create_index(
        "ix_workflow_runs_unended",
        "workflow_runs",
        ["workflow_id"],
        unique=False,
        postgresql_where=sa.text("status = 'RUNNING'"),
    )
    op.create_index(op.f("ix_workflow_runs_workflow_id_id"), "workflow_runs", ["workflow_id", "id"], unique=False)
    op.create_table(
        "workflows",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("definition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("failed_runs", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("most_failed_runs", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "event IN ('MANUAL', 'INCIDENT_CREATED', 'INCIDENT_UPDATED', 'INCIDENT_RESOLVED')",
            name=op.f("ck_workflows_event"),
        ),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_workflows_created_by")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_workflows_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflows")),
        sa.UniqueConstraint("team_id", "name", name=op.f("uq_workflows_team_id_name")),
    )
    op.create_index(op.f("ix_workflows_event_id"), "workflows", ["event", "id"], unique=False)
    op.create_index(
        "ix_workflows_failing",
        "workflows",
        ["id"],
        unique=False,
        postgresql_where=sa.text("most_failed_runs > 0 AND failed_runs >= most_failed_runs"),
    )
    op.create_index(op.f("ix_workflows_team_id_event_id"), "workflows", ["team_id", "event", "id"], unique=False)
    op.create_index(op.f("ix_workflows_team_id_id"), "workflows", ["team_id", "id"], unique=False)
    op.create_table(
        "workflow_node_runs",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("output", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("awaits", sa.Text(), nullable=True),
        sa.Column("execution_id", sa.Uuid(), nullable=True),
        sa.Column("question", sa.Text(), server_default="", nullable=False),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("decision", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "awaits IN ('EXECUTION', 'DELIVERY', 'DECISION')", name=op.f("ck_workflow_node_runs_awaits")
        ),
        sa.CheckConstraint("role IN ('RESPONDER', 'TEAM_ADMIN')", name=op.f("ck_workflow_node_runs_role")),
        sa.CheckConstraint(
            "status IN ('PENDING', 'RUNNING', 'WAITING', 'SUCCEEDED', 'FAILED', 'SKIPPED', 'CANCELLED', 'TIMEOUT')",
            name=op.f("ck_workflow_node_runs_status"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["workflow_runs.id"], name=op.f("fk_workflow_node_runs_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "name", name=op.f("pk_workflow_node_runs")),
        sa.UniqueConstraint("execution_id", name=op.f("uq_workflow_node_runs_execution_id")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(
        "ix_workflow_node_runs_awaiting",
        "workflow_node_runs",
        ["awaits", "run_id"],
        unique=False,
        postgresql_where=sa.text("awaits IS NOT NULL"),
    )
    op.create_table(
        "incident_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("incident", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("caused_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "event IN ('INCIDENT_CREATED', 'INCIDENT_UPDATED', 'INCIDENT_RESOLVED')",
            name=op.f("ck_incident_events_event"),
        ),
        sa.ForeignKeyConstraint(["caused_by"], ["users.id"], name=op.f("fk_incident_events_caused_by")),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_incident_events_incident_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_incident_events_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_events")),
    )
    op.create_index(
        "ix_incident_events_handled",
        "incident_events",
        ["handled_at"],
        unique=False,
        postgresql_where=sa.text("handled_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_incident_events_incident_id"), "incident_events", ["incident_id"], unique=False)
    op.create_index(
        "ix_incident_events_unhandled",
        "incident_events",
        ["id"],
        unique=False,
        postgresql_where=sa.text("handled_at IS NULL"),
    )
