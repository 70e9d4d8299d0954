"""The tables of status pages and of the partners who read them; a second file of `kernel.tables`, same metadata.

A partner's token is kept as a keyed hash, in a table of its own: while a rotation's grace period lasts,
a partner has two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
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

status_pages = Table(
    "status_pages",
    metadata,
    id_column(),
    Column("team_id", Uuid, ForeignKey("teams.id"), nullable=False),
    Column("slug", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("visibility", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("token_hash", LargeBinary),  # of the page's own token, if it has one
    Column("logo_url", Text, nullable=False, server_default=""),
    Column("accent_color", Text, nullable=False, server_default=""),
    Column("support_url", Text, nullable=False, server_default=""),
    # Grows with every change of what any audience sees, under the lock of this row: so in the order of the commits.
    Column("page_version", BigInteger, nullable=False, server_default=text("1")),
    revision(),
    Column("created_by", Uuid, ForeignKey("users.id"), nullable=False),
    created_at(),
    Column("updated_at", Timestamp, nullable=False),
    CheckConstraint("visibility IN ('PUBLIC', 'PRIVATE')", name="visibility"),
    Index(None, "team_id", "id"),
)

components = Table(
    "components",
    metadata,
    id_column(),
    Column("status_page_id", Uuid, ForeignKey("status_pages.id", ondelete="CASCADE"), nullable=False),
    Column("group_id", Uuid),
    Column("is_group", Boolean, nullable=False, server_default=text("false")),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("status", Text, nullable=False),  # its own; what is shown is computed
    # What a check reported; once it has expired, the check is silent.
    Column("report_status", Text),
    Column("report_reported_at", Timestamp),
    Column("report_expires_at", Timestamp),
    Column("report_status_when_silent", Text),
    Column("report_is_silent", Boolean, nullable=False, server_default=text("false")),  # that silence has been noted
    Column("position", Integer, nullable=False, server_default=text("0")),
    Column("only_show_if_degraded", Boolean, nullable=False, server_default=text("false")),
    revision(),
    created_at(),
    Column("updated_at", Timestamp, nullable=False),
    # A group's children stand on its page; a group is in no group.
    UniqueConstraint("status_page_id", "id"),
    ForeignKeyConstraint(
        ["status_page_id", "group_id"], ["components.status_page_id", "components.id"], name="fk_components_group"
    ),
    CheckConstraint("NOT is_group OR group_id IS NULL", name="group_in_no_group"),
    CheckConstraint(
        "status IN ('OPERATIONAL', 'DEGRADED_PERFORMANCE', 'PARTIAL_OUTAGE', 'MAJOR_OUTAGE', 'UNDER_MAINTENANCE')",
        name="status",
    ),
    CheckConstraint(
        "num_nonnulls(report_status, report_reported_at, report_expires_at, report_status_when_silent) IN (0, 4)",
        name="report_is_whole",
    ),
    Index(
        "ix_components_report_expires_at",
        "report_expires_at",
        postgresql_where=text("report_expires_at IS NOT NULL AND NOT report_is_silent"),
    ),
)

# How each component was shown to who sees all of it, from each change to the next; written with whatever changed it.
component_status_changes = Table(
    "component_status_changes",
    metadata,
    Column("component_id", Uuid, ForeignKey("components.id", ondelete="CASCADE"), primary_key=True),
    Column("at", Timestamp, primary_key=True),
    Column("status", Text, nullable=False),
    Column("until", Timestamp),  # when the next one was; NULL: this is how it is shown now
    Index("ix_component_status_changes_until", "until", postgresql_where=text("until IS NOT NULL")),
)

partners = Table(
    "partners",
    metadata,
    id_column(),
    Column("status_page_id", Uuid, ForeignKey("status_pages.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("contact_email", Text, nullable=False, server_default=""),
    Column("ip_allowlist", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    # No foreign keys: a scope whose last component is deleted must stay a scope, because an empty one means everything.
    Column("component_ids", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    Column("requests_per_minute", Integer, nullable=False, server_default=text("0")),
    Column("expires_at", Timestamp),
    Column("revoked_at", Timestamp),
    Column("revoked_by", Uuid, ForeignKey("users.id")),
    Column("last_access_at", Timestamp),
    Column("access_count", BigInteger, nullable=False, server_default=text("0")),
    revision(),
    Column("created_by", Uuid, ForeignKey("users.id"), nullable=False),
    created_at(),
    Column("updated_at", Timestamp, nullable=False),
    UniqueConstraint("status_page_id", "name"),
    Index(None, "status_page_id", "id"),
    postgresql_with={"fillfactor": "70"},  # access counts rewrite a row in its own page
)

partner_tokens = Table(
    "partner_tokens",
    metadata,
    id_column(),
    Column("partner_id", Uuid, ForeignKey("partners.id", ondelete="CASCADE"), nullable=False),
    Column("prefix", Text, nullable=False, unique=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    created_at(),
    Column("expires_at", Timestamp),  # the end of the grace period, once it has been rotated
    Column("last_used_at", Timestamp),
    Column("revoked_at", Timestamp),
    Index(None, "partner_id", "id"),
    # For the retention; either is the end, whichever comes first:
    Index("ix_partner_tokens_expires_at", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
    Index("ix_partner_tokens_revoked_at", "revoked_at", postgresql_where=text("revoked_at IS NOT NULL")),
)

# Who read: one row for accesses of one client that follow one another closely.
partner_sessions = Table(
    "partner_sessions",
    metadata,
    id_column(),
    Column("partner_id", Uuid, ForeignKey("partners.id", ondelete="CASCADE"), nullable=False),
    Column("address", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("token_prefix", Text, nullable=False),
    Column("started_at", Timestamp, nullable=False),
    Column("last_active_at", Timestamp, nullable=False),
    Column("access_count", BigInteger, nullable=False, server_default=text("1")),
    Index(None, "partner_id", "id"),
    Index(None, "partner_id", "last_active_at"),
    Index(None, "last_active_at"),
)

# How often each partner read, by day: what they may see of themselves.
partner_accesses = Table(
    "partner_accesses",
    metadata,
    Column("partner_id", Uuid, ForeignKey("partners.id", ondelete="CASCADE"), primary_key=True),
    Column("date", Date, primary_key=True),  # in UTC
    Column("token_prefix", Text, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("first_at", Timestamp, nullable=False),
    Column("last_at", Timestamp, nullable=False),
    Column("access_count", BigInteger, nullable=False),
    Index(None, "date"),
    postgresql_with={"fillfactor": "70"},
)

# Batches of accesses that have been counted, so that one that is sent or written twice counts once.
partner_access_batches = Table(
    "partner_access_batches",
    metadata,
    Column("batch_id", Text, primary_key=True),
    Column("recorded_at", Timestamp, nullable=False),
    Index(None, "recorded_at"),
)

# Sessions of browsers that were ended before their time, by a hash of each, until they would have ended anyway.
ended_page_sessions = Table(
    "ended_page_sessions",
    metadata,
    Column("session_hash", LargeBinary, primary_key=True),
    Column("expires_at", Timestamp, nullable=False),
    Index(None, "expires_at"),
)

# Gateways that answer from what they keep: until when each may, and which changes each has confirmed to go by.
status_page_watches = Table(
    "status_page_watches",
    metadata,
    Column("watch_id", Text, primary_key=True),
    Column("expires_at", Timestamp, nullable=False),
)

# What each gateway that watched when a change was committed has to confirm; written with the change (decision 0023).
status_page_confirmations = Table(
    "status_page_confirmations",
    metadata,
    Column("change_id", Uuid, primary_key=True),
    Column("watch_id", Text, ForeignKey("status_page_watches.watch_id", ondelete="CASCADE"), primary_key=True),
    Column("word", JSONB, nullable=False),  # what the gateway was told
    Column("told_at", Timestamp, nullable=False),
    Column("confirmed_at", Timestamp),
    Index(None, "watch_id"),
)
