"""The tables of users and teams: who belongs where, what a caller shows, and what a team owns besides its runbooks."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)

from kernel.tables.schema import Timestamp, created_at, id_column, metadata

users = Table(
    "users",
    metadata,
    id_column(),
    Column("email", Text, nullable=False, unique=True),
    Column("display_name", Text, nullable=False),
    Column("is_platform_admin", Boolean, nullable=False, server_default=text("false")),
    Column("service_account", Text),  # what a process may call is named for it in the permission table
    created_at(),
)

teams = Table("teams", metadata, id_column(), Column("name", Text, nullable=False, unique=True), created_at())

memberships = Table(
    "memberships",
    metadata,
    Column("team_id", Uuid, ForeignKey("teams.id"), primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id"), primary_key=True),
    Column("role", Text, nullable=False),
    CheckConstraint("role IN ('OBSERVER', 'RESPONDER', 'TEAM_ADMIN')", name="role"),
    Index(None, "user_id"),
)

# Who a user is at an issuer of tokens that this installation trusts.
identities = Table(
    "identities",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    created_at(),
    Index(None, "user_id"),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    id_column(),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("display_name", Text, nullable=False),
    Column("prefix", Text, nullable=False, unique=True),
    Column("secret_hash", LargeBinary, nullable=False),
    created_at(),
    Column("expires_at", Timestamp),
    Column("last_used_at", Timestamp),
    Column("revoked_at", Timestamp),
    Index(None, "user_id"),
)

services = Table(
    "services",
    metadata,
    id_column(),
    Column("team_id", Uuid, ForeignKey("teams.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    created_at(),
    UniqueConstraint("team_id", "name"),
)

secrets = Table(
    "secrets",
    metadata,
    id_column(),
    Column("team_id", Uuid, ForeignKey("teams.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("key_id", Text, nullable=False),  # under which key it is sealed; what a rotation looks for
    Column("created_by", Uuid, ForeignKey("users.id"), nullable=False),
    created_at(),
    Column("updated_by", Uuid, ForeignKey("users.id"), nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    Index("uq_secrets_team_id_name", "team_id", func.lower(text("name")), unique=True),
    Index(None, "key_id"),
)
