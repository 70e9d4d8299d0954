"""Secrets of teams: what is known of one besides its value, and what is checked when it is put or named."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kernel.errors import FailedPrecondition
from server.domain.violation import Violations, why_unstorable

LONGEST_NAME = 64
LEAST_VALUE_BYTES = 8
"""A shorter one could not be masked without masking half of any output."""
GREATEST_VALUE_BYTES = 64 * 1024
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret without its value, which only executors open."""

    id: UUID
    team_id: UUID
    name: str
    key_id: str
    created_by: UUID
    created_at: datetime
    updated_by: UUID
    updated_at: datetime


def check_name(violations: Violations, field: str, name: str) -> None:
    """Wants what can be a file's name and end an environment variable's."""
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        violations.add(field, f"must match [A-Za-z][A-Za-z0-9_]* and have at most {LONGEST_NAME} characters")


def check_value(violations: Violations, field: str, value: str) -> None:
    if unstorable := why_unstorable(value):
        violations.add(field, unstorable)
    elif not LEAST_VALUE_BYTES <= len(value.encode()) <= GREATEST_VALUE_BYTES:
        violations.add(field, f"must have {LEAST_VALUE_BYTES} to {GREATEST_VALUE_BYTES:,} bytes of UTF-8")


def require_all(named: Sequence[str], existing: Collection[str]) -> None:
    """Refuses a version whose secrets the team does not all have; a name counts as it is spelled."""
    missing = [name for name in named if name not in existing]
    if missing:
        raise FailedPrecondition(
            f"the version names secrets that the team does not have: {', '.join(missing)}",
            reason="SECRET_MISSING",
            metadata={"secret_names": ",".join(missing)},
        )
