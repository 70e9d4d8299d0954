"""The tables of what is kept of calls: first answers, so that a repeat does nothing, and the audit with its chain."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    LargeBinary,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from kernel.tables.schema import Timestamp, created_at, metadata

# First answers of calls that carried a request id, so that a repeat answers the same.
request_ids = Table(
    "request_ids",
    metadata,
    Column("caller_id", Uuid, primary_key=True),
    Column("method", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),  # SHA-256 of the request without its request id
    Column("resource", JSONB, nullable=False),
    created_at(),
    Index(None, "created_at"),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("time", Timestamp, nullable=False),
    Column("actor_id", Uuid),
    Column("action", Text, nullable=False),
    Column("team_id", Uuid),
    Column("resource_type", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("outcome", Text, nullable=False, server_default="DONE"),
    Column("peer", Text, nullable=False, server_default=""),
    Column("request_id", Text, nullable=False, server_default=""),
    CheckConstraint("outcome IN ('DONE', 'DENIED')", name="outcome"),
    Index(None, "team_id", "id"),
    Index(None, "actor_id", "id"),
    Index(None, "resource_id", "id"),
)

# Which of them wait to be sealed, filled by a trigger. Ids are taken before the commit, so that a small one may appear
# after greater ones were sealed: no highest id tells what is left to do.
audit_unsealed = Table(
    "audit_unsealed", metadata, Column("event_id", BigInteger, primary_key=True, autoincrement=False)
)

# The chain over them, written by `jobs` in order and in batches. Both are written once: triggers refuse the rest.
audit_seals = Table(
    "audit_seals",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", BigInteger, nullable=False, unique=True),  # no foreign key: a lost event must show, not block
    Column("previous_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
