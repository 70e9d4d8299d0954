"""Users, teams, memberships, services and API tokens, and what is checked when they are made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from server.domain.permission import SERVICE_ACCOUNTS, Role
from server.domain.violation import Violations

LONGEST_EMAIL = 254
LONGEST_NAME = 100
LONGEST_DESCRIPTION = 4000
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody, or some process, that calls; `service_account` is empty for people."""

    id: UUID
    email: str
    display_name: str
    is_platform_admin: bool
    service_account: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Team:
    id: UUID
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Membership:
    team_id: UUID
    team_name: str
    user_id: UUID
    user_name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Service:
    """Something that a team runs."""

    id: UUID
    team_id: UUID
    name: str
    description: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ApiToken:
    """The record of a token; its secret is not in it."""

    id: UUID
    user_id: UUID
    display_name: str
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    def works(self, at: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


@dataclass(frozen=True, slots=True)
class UserDraft:
    """A user as sent."""

    email: str
    display_name: str
    is_platform_admin: bool = False
    service_account: str = ""


def check_user(violations: Violations, field: str, draft: UserDraft) -> None:
    """Checks a draft whose e-mail address has been lower-cased."""
    violations.text(f"{field}.email", draft.email, shortest=1, longest=LONGEST_EMAIL)
    if draft.email and not _EMAIL.fullmatch(draft.email):
        violations.add(f"{field}.email", "must be an e-mail address")
    check_name(violations, f"{field}.display_name", draft.display_name)
    if draft.service_account:
        if draft.service_account not in SERVICE_ACCOUNTS:
            violations.add(f"{field}.service_account", "must be one of " + ", ".join(sorted(SERVICE_ACCOUNTS)))
        if draft.is_platform_admin:
            violations.add(f"{field}.is_platform_admin", "a service account cannot be one")


def check_name(violations: Violations, field: str, name: str) -> None:
    violations.text(field, name, shortest=1, longest=LONGEST_NAME)
    if name and not name.strip():
        violations.add(field, "must not be blank")
