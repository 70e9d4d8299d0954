"""Status pages: what a team may say of one, and the one sentence over it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cache
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import available_timezones

from server.domain.component import ComponentStatus, ShownComponent
from server.domain.etag import etag, require_etag
from server.domain.violation import Violations

LONGEST_NAME = 100

LONGEST_URL = 500

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
# No space, quote, bracket, backslash or control character; ';' and ',' would end an entry of a security policy.
_URL = re.compile(r"(https://|mailto:)[A-Za-z0-9._~:/?#@!$&()*+=%-]+")
_SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Visibility(Enum):
    PUBLIC = "PUBLIC"
    PRIVATE = "PRIVATE"


@dataclass(frozen=True, slots=True)
class StatusPageContent:
    """What a team may say of a page; the slug is its place in the address."""

    slug: str
    name: str
    visibility: Visibility
    time_zone: str = "UTC"
    logo_url: str = ""
    accent_color: str = ""
    support_url: str = ""

    def check(self, violations: Violations) -> None:
        if not is_slug(self.slug):
            violations.add("status_page.slug", "must be 1 to 63 of a-z, 0-9 and '-', with no '-' at either end")
        violations.text("status_page.name", self.name, shortest=1, longest=LONGEST_NAME)
        if self.time_zone not in time_zones():
            violations.add("status_page.time_zone", "must be an IANA time zone, such as Europe/Berlin")
        _check_url(violations, "status_page.logo_url", self.logo_url, ("https",))
        _check_url(violations, "status_page.support_url", self.support_url, ("https", "mailto"))
        if self.accent_color and not _COLOR.fullmatch(self.accent_color):
            violations.add("status_page.accent_color", "must be a colour such as #0b6e4f, or empty")


def _check_url(violations: Violations, field: str, url: str, schemes: Sequence[str]) -> None:
    """Wants an address that a browser takes as it is: it stands in a page, and in its content security policy."""
    violations.text(field, url, longest=LONGEST_URL)
    if url and not (_URL.fullmatch(url) and url.partition(":")[0] in schemes and _parses(url)):
        violations.add(field, "must be an address of " + " or ".join(f"{scheme}:" for scheme in schemes) + ", or empty")


def _parses(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname and (parts.port is None or parts.port > 0)) or (
            parts.scheme == "mailto" and "@" in parts.path
        )
    except ValueError:
        return False


def is_slug(text: str) -> bool:
    return _SLUG.fullmatch(text) is not None


@cache
def time_zones() -> frozenset[str]:
    """Answers the names that this machine's time zone database knows; UTC also where it has none."""
    return frozenset(available_timezones() | {"UTC"})


@dataclass(frozen=True, slots=True)
class StatusPage:
    """A page as it is kept."""

    id: UUID
    team_id: UUID
    content: StatusPageContent
    token_hash: bytes | None = field(repr=False)
    revision: int
    created_by: UUID
    created_at: datetime
    updated_at: datetime

    @property
    def etag(self) -> str:
        return etag(self.id, self.revision)

    def require_etag(self, wanted: str) -> None:
        require_etag("status page", self.etag, wanted)


class Indicator(Enum):
    NONE = "NONE"
    MINOR = "MINOR"
    MAJOR = "MAJOR"
    CRITICAL = "CRITICAL"
    MAINTENANCE = "MAINTENANCE"


@dataclass(frozen=True, slots=True)
class Headline:
    """How bad it is, and the sentence that says so."""

    indicator: Indicator
    description: str


OPERATIONAL = Headline(Indicator.NONE, "All Systems Operational")
MAINTENANCE = Headline(Indicator.MAINTENANCE, "Service Under Maintenance")
DEGRADED = Headline(Indicator.MINOR, "Partially Degraded Service")
MINOR_OUTAGE = Headline(Indicator.MINOR, "Minor Service Outage")
PARTIAL_OUTAGE = Headline(Indicator.MAJOR, "Partial System Outage")
MAJOR_OUTAGE = Headline(Indicator.CRITICAL, "Major System Outage")


def headline(components: Sequence[ShownComponent]) -> Headline:
    """Answers the headline, by the rules of the public v2 status API; groups do not count, their children do."""
    statuses = [component.status for component in components if not component.is_group]
    kinds = set(statuses)
    if kinds == {ComponentStatus.MAJOR_OUTAGE}:
        return MAJOR_OUTAGE
    if ComponentStatus.MAJOR_OUTAGE in kinds or kinds == {ComponentStatus.PARTIAL_OUTAGE}:
        return PARTIAL_OUTAGE
    if ComponentStatus.PARTIAL_OUTAGE in kinds:
        return MINOR_OUTAGE
    if ComponentStatus.DEGRADED_PERFORMANCE in kinds:
        return DEGRADED
    if ComponentStatus.UNDER_MAINTENANCE in kinds:
        return MAINTENANCE
    return OPERATIONAL
