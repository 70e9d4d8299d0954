"""Secrets, identities and the audit chain."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_seals",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_seals")),
        sa.UniqueConstraint("event_id", name=op.f("uq_audit_seals_event_id")),
    )
    op.create_table(
        "audit_unsealed",
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_audit_unsealed")),
    )
    op.create_table(
        "identities",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_identities_user_id")),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_identities")),
    )
    op.create_index(op.f("ix_identities_user_id"), "identities", ["user_id"], unique=False)
    op.create_table(
        "secrets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_secrets_created_by")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_secrets_team_id")),
        sa.ForeignKeyConstraint(["updated_by"], ["users.id"], name=op.f("fk_secrets_updated_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secrets")),
    )
    op.create_index(op.f("ix_secrets_key_id"), "secrets", ["key_id"], unique=False)
    op.create_index("uq_secrets_team_id_name", "secrets", ["team_id", sa.literal_column("lower(name)")], unique=True)
    op.add_column("audit_events", sa.Column("outcome", sa.Text(), server_default="DONE", nullable=False))
    op.add_column("audit_events", sa.Column("peer", sa.Text(), server_default="", nullable=False))
    op.add_column("audit_events", sa.Column("request_id", sa.Text(), server_default="", nullable=False))
    op.add_column("executions", sa.Column("masked_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    _let_executions_queue()
    _keep_lists_in_order()
    op.create_check_constraint(op.f("ck_audit_events_outcome"), "audit_events", "outcome IN ('DONE', 'DENIED')")
    op.create_index(op.f("ix_audit_events_actor_id_id"), "audit_events", ["actor_id", "id"], unique=False)
    op.create_index(op.f("ix_audit_events_resource_id_id"), "audit_events", ["resource_id", "id"], unique=False)
    op.execute("INSERT INTO audit_unsealed SELECT id FROM audit_events")
    op.execute("""
        CREATE FUNCTION await_seal() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO audit_unsealed (event_id) VALUES (NEW.id);
            RETURN NULL;
        END $$
    """)
    op.execute(
        "CREATE TRIGGER audit_events_await_their_seal AFTER INSERT ON audit_events "
        "FOR EACH ROW EXECUTE FUNCTION await_seal()"
    )
    for table in ("audit_events", "audit_seals"):
        op.execute(
            f"CREATE TRIGGER {table}_are_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_are_never_emptied BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _let_executions_queue() -> None:
    op.add_column("executions", sa.Column("concurrency", sa.Text(), nullable=True))
    op.execute("""
        UPDATE executions SET concurrency = v.settings ->> 'concurrency' FROM runbook_versions v
        WHERE v.runbook_id = executions.runbook_id AND v.version = executions.version
    """)
    op.alter_column("executions", "concurrency", nullable=False)
    op.add_column("executions", sa.Column("arrival", sa.BigInteger(), sa.Identity(always=True), nullable=False))
    op.create_check_constraint(
        op.f("ck_executions_concurrency"), "executions", "concurrency IN ('ALLOW', 'FORBID', 'QUEUE')"
    )
    op.create_index(
        "ix_executions_unended",
        "executions",
        ["runbook_id", "arrival"],
        unique=False,
        postgresql_where=sa.text("status = 'PENDING' OR status = 'RUNNING'"),
    )


def _keep_lists_in_order() -> None:
    op.drop_index(op.f("ix_runbooks_service_id"), table_name="runbooks")
    for table, columns in (
        ("runbooks", ["service_id", "id"]),
        ("runbooks", ["status", "id"]),
        ("runbooks", ["team_id", "status", "id"]),
        ("executions", ["status", "id"]),
        ("executions", ["team_id", "status", "id"]),
        ("executions", ["runbook_id", "status", "id"]),
    ):
        op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns, unique=False)
