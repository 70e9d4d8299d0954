"""The tables, as SQLAlchemy Core knows them; `kernel.migrations` makes them, and a test compares the two.

Ids are UUIDv7 made in the app. States are text with a CHECK, so that a dump can be read. Times are `timestamptz`.
Each idea has a file; importing one imports all, since foreign keys name tables of the others.
"""

from __future__ import annotations

from kernel.tables.calls import audit_events, audit_seals, audit_unsealed, request_ids
from kernel.tables.executions import execution_attempts, execution_events, executions, executors
from kernel.tables.people import api_tokens, identities, memberships, secrets, services, teams, users
from kernel.tables.runbooks import runbook_reviews, runbook_versions, runbooks
from kernel.tables.schema import Timestamp, metadata

__all__ = [
    "Timestamp",
    "api_tokens",
    "audit_events",
    "audit_seals",
    "audit_unsealed",
    "execution_attempts",
    "execution_events",
    "executions",
    "executors",
    "identities",
    "memberships",
    "metadata",
    "request_ids",
    "runbook_reviews",
    "runbook_versions",
    "runbooks",
    "secrets",
    "services",
    "teams",
    "users",
]
