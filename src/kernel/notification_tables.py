"""The tables of notification channels and of what is delivered to them; a file of `kernel.tables` by itself.

Deliveries are an outbox: each is inserted by the transaction of what it tells of, and sent by `jobs` afterwards.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kernel.tables.schema import Timestamp, created_at, id_column, metadata, revision

notification_channels = Table(
    "notification_channels",
    metadata,
    id_column(),
    Column("team_id", Uuid, ForeignKey("teams.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("target_hint", Text, nullable=False),  # enough to recognise the target, not to use it
    Column("events", ARRAY(Text), nullable=False),
    Column("min_severity", Text),  # NULL: any
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", Text, nullable=False, server_default=""),  # where the platform disabled it
    revision(),
    Column("created_by", Uuid, ForeignKey("users.id"), nullable=False),
    created_at(),
    Column("updated_at", Timestamp, nullable=False),
    UniqueConstraint("team_id", "name"),
    CheckConstraint("kind IN ('SLACK', 'EMAIL', 'PAGERDUTY', 'TEAMS', 'WEBHOOK', 'APPRISE')", name="kind"),
    CheckConstraint("min_severity IN ('SEV1', 'SEV2', 'SEV3', 'SEV4')", name="min_severity"),
    Index(None, "team_id", "id"),
)

# What must not be read: where a channel goes to, and what its webhooks are signed with.
notification_channel_secrets = Table(
    "notification_channel_secrets",
    metadata,
    Column("channel_id", Uuid, ForeignKey("notification_channels.id", ondelete="CASCADE"), primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("key_id", Text, nullable=False),  # under which key it is sealed; what a rotation looks for
    Column("expires_at", Timestamp),  # the former signing secret ends by itself
    CheckConstraint("purpose IN ('TARGET', 'SIGNING', 'FORMER_SIGNING')", name="purpose"),
    Index(None, "key_id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    id_column(),
    Column("dedupe_key", Text, nullable=False, unique=True),  # the same thing is told once
    Column("team_id", Uuid, ForeignKey("teams.id"), nullable=False),
    Column(
        "channel_id", Uuid
    ),  # no foreign key: what was sent stays when a channel goes; NULL: `webhook` says where to
    Column("webhook", JSONB(none_as_null=True)),  # server.domain.delivery.WebhookRequest
    Column("event", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("data", JSONB, nullable=False, server_default=text("'{}'")),
    Column("workflow_run_id", Uuid),
    Column("node", Text),
    Column("incident_id", Uuid),
    Column("execution_id", Uuid),
    Column("give_up_at", Timestamp),  # NULL: after the last attempt
    created_at(),
    # What sending changes:
    Column("status", Text, nullable=False, server_default="PENDING"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),  # grows with every claim; fences every write
    Column("attempts_before", Integer, nullable=False, server_default=text("0")),  # those made before the last retry
    Column("next_attempt_at", Timestamp, nullable=False),  # while it is being sent: when that counts as lost
    Column("last_error", Text, nullable=False, server_default=""),
    Column("response_status", Integer),
    Column("ended_at", Timestamp),
    CheckConstraint("status IN ('PENDING', 'DELIVERED', 'DEAD')", name="status"),
    CheckConstraint("(status = 'PENDING') = (ended_at IS NULL)", name="ended"),
    CheckConstraint("num_nonnulls(channel_id, webhook) = 1", name="goes_somewhere"),
    # For lists, newest first, filtered by any of these (server.storage.newest):
    Index(None, "team_id", "id"),
    Index(None, "team_id", "status", "id"),
    Index(None, "channel_id", "id", postgresql_where=text("channel_id IS NOT NULL")),
    Index("ix_deliveries_run", "workflow_run_id", "id", postgresql_where=text("workflow_run_id IS NOT NULL")),
    Index("ix_deliveries_incident", "incident_id", "id", postgresql_where=text("incident_id IS NOT NULL")),
    Index("ix_deliveries_due", "next_attempt_at", postgresql_where=text("status = 'PENDING'")),
    Index("ix_deliveries_ended", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
    postgresql_with={"fillfactor": "70"},  # attempts rewrite a row in its own page
)
