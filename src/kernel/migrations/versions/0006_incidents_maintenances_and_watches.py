"""Incidents and maintenances, how components were, and the watches of gateways that keep pages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "status_page_watches",
        sa.Column("watch_id", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("watch_id", name=op.f("pk_status_page_watches")),
    )
    op.create_table(
        "status_page_confirmations",
        sa.Column("change_id", sa.Uuid(), nullable=False),
        sa.Column("watch_id", sa.Text(), nullable=False),
        sa.Column("word", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["watch_id"],
            ["status_page_watches.watch_id"],
            name=op.f("fk_status_page_confirmations_watch_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("change_id", "watch_id", name=op.f("pk_status_page_confirmations")),
    )
    op.create_index(
        op.f("ix_status_page_confirmations_watch_id"), "status_page_confirmations", ["watch_id"], unique=False
    )
    op.create_table(
        "ended_page_sessions",
        sa.Column("session_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("session_hash", name=op.f("pk_ended_page_sessions")),
    )
    op.create_index(op.f("ix_ended_page_sessions_expires_at"), "ended_page_sessions", ["expires_at"], unique=False)
    op.create_table(
        "partner_access_batches",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_partner_access_batches")),
    )
    op.create_index(
        op.f("ix_partner_access_batches_recorded_at"), "partner_access_batches", ["recorded_at"], unique=False
    )
    op.create_index(op.f("ix_partners_status_page_id_id"), "partners", ["status_page_id", "id"], unique=False)
    op.create_table(
        "incidents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("service_id", sa.Uuid(), nullable=True),
        sa.Column("status_page_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("labels", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Uuid(), nullable=True),
        sa.Column("monitoring_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status IN ('RESOLVED', 'POSTMORTEM')) = (resolved_at IS NOT NULL)", name=op.f("ck_incidents_resolved")
        ),
        sa.CheckConstraint("severity IN ('SEV1', 'SEV2', 'SEV3', 'SEV4')", name=op.f("ck_incidents_severity")),
        sa.CheckConstraint(
            "status IN ('INVESTIGATING', 'IDENTIFIED', 'MONITORING', 'RESOLVED', 'POSTMORTEM')",
            name=op.f("ck_incidents_status"),
        ),
        sa.ForeignKeyConstraint(["acknowledged_by"], ["users.id"], name=op.f("fk_incidents_acknowledged_by")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_incidents_created_by")),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_incidents_service_id")),
        sa.ForeignKeyConstraint(
            ["status_page_id"], ["status_pages.id"], name=op.f("fk_incidents_status_page_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_incidents_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
    )
    op.create_index(
        "ix_incidents_open",
        "incidents",
        ["status_page_id"],
        unique=False,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_index(op.f("ix_incidents_service_id_id"), "incidents", ["service_id", "id"], unique=False)
    op.create_index(op.f("ix_incidents_status_page_id_id"), "incidents", ["status_page_id", "id"], unique=False)
    op.create_index(op.f("ix_incidents_team_id_id"), "incidents", ["team_id", "id"], unique=False)
    op.create_index(op.f("ix_incidents_team_id_severity_id"), "incidents", ["team_id", "severity", "id"], unique=False)
    op.create_index(op.f("ix_incidents_team_id_status_id"), "incidents", ["team_id", "status", "id"], unique=False)
    op.create_table(
        "maintenances",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("status_page_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("component_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("scheduled_for", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scheduled_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status IN ('COMPLETED', 'CANCELLED')) = (ended_at IS NOT NULL)", name=op.f("ck_maintenances_ended")
        ),
        sa.CheckConstraint(
            "status IN ('SCHEDULED', 'IN_PROGRESS', 'VERIFYING', 'COMPLETED', 'CANCELLED')",
            name=op.f("ck_maintenances_status"),
        ),
        sa.CheckConstraint("scheduled_for < scheduled_until", name=op.f("ck_maintenances_ends_after_it_begins")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_maintenances_created_by")),
        sa.ForeignKeyConstraint(
            ["status_page_id"], ["status_pages.id"], name=op.f("fk_maintenances_status_page_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenances")),
    )
    op.create_index(op.f("ix_maintenances_status_page_id_id"), "maintenances", ["status_page_id", "id"], unique=False)
    op.create_index(
        op.f("ix_maintenances_status_page_id_status_id"),
        "maintenances",
        ["status_page_id", "status", "id"],
        unique=False,
    )
    op.create_index(
        "ix_maintenances_to_begin",
        "maintenances",
        ["scheduled_for"],
        unique=False,
        postgresql_where=sa.text("status = 'SCHEDULED'"),
    )
    op.create_index(
        "ix_maintenances_to_complete",
        "maintenances",
        ["scheduled_until"],
        unique=False,
        postgresql_where=sa.text("status = 'IN_PROGRESS' OR status = 'VERIFYING'"),
    )
    op.create_table(
        "component_status_changes",
        sa.Column("component_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["component_id"],
            ["components.id"],
            name=op.f("fk_component_status_changes_component_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("component_id", "at", name=op.f("pk_component_status_changes")),
    )
    op.create_table(
        "incident_impacts",
        sa.Column("incident_id", sa.Uuid(), nullable=False),
        sa.Column("component_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("worst", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "status IN ('OPERATIONAL', 'DEGRADED_PERFORMANCE', 'PARTIAL_OUTAGE', 'MAJOR_OUTAGE')",
            name=op.f("ck_incident_impacts_status"),
        ),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_incident_impacts_incident_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("incident_id", "component_id", name=op.f("pk_incident_impacts")),
    )
    op.create_index(op.f("ix_incident_impacts_component_id"), "incident_impacts", ["component_id"], unique=False)
    op.create_table(
        "incident_updates",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column(
            "impact_changes", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False
        ),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_incident_updates_created_by")),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_incident_updates_incident_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_updates")),
    )
    op.create_index(op.f("ix_incident_updates_incident_id_id"), "incident_updates", ["incident_id", "id"], unique=False)
    op.create_table(
        "maintenance_updates",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("maintenance_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_maintenance_updates_created_by")),
        sa.ForeignKeyConstraint(
            ["maintenance_id"],
            ["maintenances.id"],
            name=op.f("fk_maintenance_updates_maintenance_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance_updates")),
    )
    op.create_index(
        op.f("ix_maintenance_updates_maintenance_id_id"), "maintenance_updates", ["maintenance_id", "id"], unique=False
    )
    op.create_table(
        "partner_accesses",
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("token_prefix", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("access_count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partners.id"], name=op.f("fk_partner_accesses_partner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("partner_id", "date", "token_prefix", "address", name=op.f("pk_partner_accesses")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(op.f("ix_partner_accesses_date"), "partner_accesses", ["date"], unique=False)
    op.create_index(op.f("ix_partner_sessions_last_active_at"), "partner_sessions", ["last_active_at"], unique=False)
    op.add_column("components", sa.Column("report_status", sa.Text(), nullable=True))
    op.add_column("components", sa.Column("report_reported_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("components", sa.Column("report_expires_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("components", sa.Column("report_status_when_silent", sa.Text(), nullable=True))
    op.add_column(
        "components", sa.Column("report_is_silent", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_index(
        "ix_components_report_expires_at",
        "components",
        ["report_expires_at"],
        unique=False,
        postgresql_where=sa.text("report_expires_at IS NOT NULL AND NOT report_is_silent"),
    )
    op.add_column("status_pages", sa.Column("logo_url", sa.Text(), server_default="", nullable=False))
    op.add_column("status_pages", sa.Column("accent_color", sa.Text(), server_default="", nullable=False))
    op.add_column("status_pages", sa.Column("support_url", sa.Text(), server_default="", nullable=False))
    op.add_column(
        "status_pages", sa.Column("page_version", sa.BigInteger(), server_default=sa.text("1"), nullable=False)
    )
    op.create_check_constraint(
        op.f("ck_components_report_is_whole"),
        "components",
        "num_nonnulls(report_status, report_reported_at, report_expires_at, report_status_when_silent) IN (0, 4)",
    )
    # What was shown before anybody kept it is not known: as it is now, since its creation, is the best guess.
    op.execute(
        "INSERT INTO component_status_changes (component_id, at, status)"
        " SELECT id, created_at, status FROM components WHERE NOT is_group"
    )
    op.execute(
        "INSERT INTO partner_accesses (partner_id, date, token_prefix, address, first_at, last_at, access_count)"
        " SELECT partner_id, (started_at AT TIME ZONE 'UTC')::date, token_prefix, address,"
        " min(started_at), max(last_active_at), sum(access_count) FROM partner_sessions GROUP BY 1, 2, 3, 4"
    )
