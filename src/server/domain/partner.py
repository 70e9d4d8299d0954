"""Partners: what a team may say of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from server.domain import allowlist
from server.domain.etag import etag
from server.domain.violation import Violations

LONGEST_NAME = 100
LONGEST_EMAIL = 254
MOST_ALLOWLIST_ENTRIES = 100
MOST_COMPONENTS = 500
GREATEST_RATE = 1_000_000


@dataclass(frozen=True, slots=True)
class PartnerContent:
    """What a team may say of a partner; an empty allowlist or scope restricts nothing."""

    name: str
    contact_email: str = ""
    ip_allowlist: Sequence[str] = ()
    component_ids: Sequence[UUID] = ()
    requests_per_minute: int = 0
    expires_at: datetime | None = None

    def check(self, violations: Violations, now: datetime) -> None:
        violations.text("partner.name", self.name, shortest=1, longest=LONGEST_NAME)
        violations.text("partner.contact_email", self.contact_email, longest=LONGEST_EMAIL)
        if self.contact_email and not _could_be_email(self.contact_email):
            violations.add("partner.contact_email", "must be an e-mail address")
        violations.number("partner.requests_per_minute", self.requests_per_minute, least=0, greatest=GREATEST_RATE)
        violations.unique("partner.component_ids", [str(component) for component in self.component_ids])
        if len(self.component_ids) > MOST_COMPONENTS:
            violations.add("partner.component_ids", f"must name at most {MOST_COMPONENTS}")
        if self.expires_at is not None and self.expires_at <= now:
            violations.add("partner.expires_at", "must lie in the future")


def checked_allowlist(entries: Sequence[str], violations: Violations) -> tuple[str, ...]:
    """Answers the entries in the one spelling that is kept, after noting each that names no addresses."""
    if len(entries) > MOST_ALLOWLIST_ENTRIES:
        violations.add("partner.ip_allowlist", f"must have at most {MOST_ALLOWLIST_ENTRIES} entries")
        return ()
    kept = []
    for index, entry in enumerate(entries):
        try:
            kept.append(allowlist.spelled(allowlist.network(entry)))
        except ValueError:
            violations.add(
                f"partner.ip_allowlist[{index}]",
                "must be an address or a network without bits beyond its prefix, such as 192.0.2.0/24 or 2001:db8::1",
            )
    return tuple(dict.fromkeys(kept))


def _could_be_email(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(local and at and domain) and not any(character.isspace() for character in text)


@dataclass(frozen=True, slots=True)
class PartnerToken:
    """A token of a partner, without its secret; `expires_at` is the end of its grace period, once it is rotated."""

    id: UUID
    prefix: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Partner:
    """A partner as they are kept; `token_prefix` is that of their newest token."""

    id: UUID
    status_page_id: UUID
    content: PartnerContent
    token_prefix: str
    revoked_at: datetime | None
    last_access_at: datetime | None
    access_count: int
    revision: int
    created_by: UUID
    created_at: datetime
    updated_at: datetime
    tokens: Sequence[PartnerToken] = field(default=(), compare=False)
    """Those that still work, newest first; only where the team reads the partner."""

    @property
    def etag(self) -> str:
        return etag(self.id, self.revision)

    def changed(self, at: datetime, **changes: Any) -> Partner:
        """Answers the partner with other values, one revision later."""
        return replace(self, revision=self.revision + 1, updated_at=at, **changes)

    def is_active(self, now: datetime) -> bool:
        return self.revoked_at is None and not expired(self.content.expires_at, now)


def expired(expires_at: datetime | None, now: datetime) -> bool:
    return expires_at is not None and expires_at <= now
