"""Ids: UUIDv7, made in the application because the database need not know how."""

from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Answers a new UUIDv7: random, but growing with time, so that it pages and indexes well."""
    return uuid7()
