"""Notification channels, deliveries, and which failed executions were told of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notification_channels",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target_hint", sa.Text(), nullable=False),
        sa.Column("events", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("min_severity", sa.Text(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('SLACK', 'EMAIL', 'PAGERDUTY', 'TEAMS', 'WEBHOOK', 'APPRISE')",
            name=op.f("ck_notification_channels_kind"),
        ),
        sa.CheckConstraint(
            "min_severity IN ('SEV1', 'SEV2', 'SEV3', 'SEV4')", name=op.f("ck_notification_channels_min_severity")
        ),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_notification_channels_created_by")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_notification_channels_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_channels")),
        sa.UniqueConstraint("team_id", "name", name=op.f("uq_notification_channels_team_id_name")),
    )
    op.create_index(
        op.f("ix_notification_channels_team_id_id"), "notification_channels", ["team_id", "id"], unique=False
    )
    op.create_table(
        "notification_channel_secrets",
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "purpose IN ('TARGET', 'SIGNING', 'FORMER_SIGNING')", name=op.f("ck_notification_channel_secrets_purpose")
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["notification_channels.id"],
            name=op.f("fk_notification_channel_secrets_channel_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("channel_id", "purpose", name=op.f("pk_notification_channel_secrets")),
    )
    op.create_index(
        op.f("ix_notification_channel_secrets_key_id"), "notification_channel_secrets", ["key_id"], unique=False
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=True),
        sa.Column("webhook", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("workflow_run_id", sa.Uuid(), nullable=True),
        sa.Column("node", sa.Text(), nullable=True),
        sa.Column("incident_id", sa.Uuid(), nullable=True),
        sa.Column("execution_id", sa.Uuid(), nullable=True),
        sa.Column("give_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), server_default="PENDING", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts_before", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('PENDING', 'DELIVERED', 'DEAD')", name=op.f("ck_deliveries_status")),
        sa.CheckConstraint("(status = 'PENDING') = (ended_at IS NULL)", name=op.f("ck_deliveries_ended")),
        sa.CheckConstraint("num_nonnulls(channel_id, webhook) = 1", name=op.f("ck_deliveries_goes_somewhere")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_deliveries_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_deliveries_dedupe_key")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(
        op.f("ix_deliveries_channel_id_id"),
        "deliveries",
        ["channel_id", "id"],
        unique=False,
        postgresql_where=sa.text("channel_id IS NOT NULL"),
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("status = 'PENDING'"),
    )
    op.create_index(
        "ix_deliveries_ended",
        "deliveries",
        ["ended_at"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    op.create_index(
        "ix_deliveries_incident",
        "deliveries",
        ["incident_id", "id"],
        unique=False,
        postgresql_where=sa.text("incident_id IS NOT NULL"),
    )
    op.create_index(
        "ix_deliveries_run",
        "deliveries",
        ["workflow_run_id", "id"],
        unique=False,
        postgresql_where=sa.text("workflow_run_id IS NOT NULL"),
    )
    op.create_index(op.f("ix_deliveries_team_id_id"), "deliveries", ["team_id", "id"], unique=False)
    op.create_index(op.f("ix_deliveries_team_id_status_id"), "deliveries", ["team_id", "status", "id"], unique=False)
    op.add_column("executions", sa.Column("failure_told_at", sa.DateTime(timezone=True), nullable=True))
    # What failed before anybody could subscribe is nobody's news.
    op.execute("UPDATE executions SET failure_told_at = completed_at WHERE status IN ('FAILED', 'TIMEOUT')")
    op.create_index(
        "ix_executions_failure_untold",
        "executions",
        ["completed_at"],
        unique=False,
        postgresql_where=sa.text("(status = 'FAILED' OR status = 'TIMEOUT') AND failure_told_at IS NULL"),
    )
