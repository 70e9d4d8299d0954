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
from sqlalchemy.dialects.postgresql import ARRAY

from kernel.tables import Timestamp, metadata


def _id() -> Column[object]:
    return Column("id", Uuid, primary_key=True)


def _created_at() -> Column[object]:
    return Column("created_at", Timestamp, nullable=False)


def _revision() -> Column[object]:
    return Column("revision", BigInteger, nullable=False, server_default=text("1"))  # what the etag is made of


status_pages = Table(
    "status_pages",
    metadata,
    _id(),
    Column("team_id", Uuid, ForeignKey("teams.id"), nullable=False),
    Column("slug", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("visibility", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("token_hash", LargeBinary),  # of the page's own token, if it has one
    _revision(),
    Column("created_by", Uuid, ForeignKey("users.id"), nullable=False),
    _created_at(),
    Column("updated_at", Timestamp, nullable=False),
    CheckConstraint("visibility IN ('PUBLIC', 'PRIVATE')", name="visibility"),
    Index(None, "team_id", "id"),
)

components = Table(
    "components",
    metadata,
    _id(),
    Column("status_page_id", Uuid, ForeignKey("status_pages.id", ondelete="CASCADE"), nullable=False),
    Column("group_id", Uuid),
    Column("is_group", Boolean, nullable=False, server_default=text("false")),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("status", Text, nullable=False),  # its own; what is shown is computed
    Column("position", Integer, nullable=False, server_default=text("0")),
    Column("only_show_if_degraded", Boolean, nullable=False, server_default=text("false")),
    _revision(),
    _created_at(),
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
)

partners = Table(
    "partners",
    metadata,
    _id(),
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
    _revision(),
    Column("created_by", Uuid, ForeignKey("users.id"), nullable=False),
    _created_at(),
    Column("updated_at", Timestamp, nullable=False),
    UniqueConstraint("status_page_id", "name"),
    postgresql_with={"fillfactor": "70"},  # access counts rewrite a row in its own page
)

partner_tokens = Table(
    "partner_tokens",
    metadata,
    _id(),
    Column("partner_id", Uuid, ForeignKey("partners.id", ondelete="CASCADE"), nullable=False),
    Column("prefix", Text, nullable=False, unique=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    _created_at(),
    Column("expires_at", Timestamp),  # the end of the grace period, once it has been rotated
    Column("last_used_at", Timestamp),
    Column("revoked_at", Timestamp),
    Index(None, "partner_id", "id"),
)

# Who read: one row for accesses of one client that follow one another closely.
partner_sessions = Table(
    "partner_sessions",
    metadata,
    _id(),
    Column("partner_id", Uuid, ForeignKey("partners.id", ondelete="CASCADE"), nullable=False),
    Column("address", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("token_prefix", Text, nullable=False),
    Column("started_at", Timestamp, nullable=False),
    Column("last_active_at", Timestamp, nullable=False),
    Column("access_count", BigInteger, nullable=False, server_default=text("1")),
    Index(None, "partner_id", "id"),
    Index(None, "partner_id", "last_active_at"),
)
