"""What the gateway asks besides pages: a partner's own report, and accesses that it answered from what it keeps."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from kernel.errors import NotFound
from server.domain import allowlist
from server.domain.page import Page, PageRequest
from server.domain.partner_access import DayOfAccess, Visitor, Visits
from server.domain.permission import Call
from server.domain.violation import Violations
from server.operations.environment import Environment
from server.operations.read_status_page import page_of_accesses
from server.operations.record_access import store_accesses
from server.operations.show_status_page import Reception, ShowRequest, admitting, limit, storable_agent

MOST_ACCESSES = 1_000
MOST_IN_ONE = 10_000_000
LONGEST_PREFIX = 100
LONGEST_REQUEST_ID = 100
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""What a time is that nobody set."""


@dataclass(frozen=True, slots=True)
class AnsweredAccesses:
    """Accesses of one client that a gateway answered by itself, as sent."""

    partner_id: str
    token_id: str
    token_prefix: str
    client_ip: str
    user_agent: str
    first_at: datetime
    last_at: datetime
    count: int


async def list_own_accesses(
    reception: Reception, call: Call, request: ShowRequest, wanted: PageRequest
) -> Page[DayOfAccess]:
    """Answers a partner's own report to whoever presents their credential; everybody else has none."""
    async with admitting(reception, request, reception.env.now()) as (session, admitted, _):
        if admitted.token is None:
            raise NotFound("there is no such report")
        await limit(reception, admitted, 0)
        partner = admitted.token.partner
        cursor = reception.env.pager.open(call.method, {"partner_id": str(partner.id)}, wanted)
        return await page_of_accesses(session, partner.id, cursor)


async def record_accesses(env: Environment, call: Call, accesses: Sequence[AnsweredAccesses], request_id: str) -> None:
    """Counts a batch once, however often it is sent."""
    violations = Violations()
    violations.text("request_id", request_id, shortest=1, longest=LONGEST_REQUEST_ID)
    if len(accesses) > MOST_ACCESSES:
        violations.add("accesses", f"must be at most {MOST_ACCESSES:,}")
    now = env.now()
    batch = [
        _checked(violations, f"accesses[{index}]", some, now) for index, some in enumerate(accesses[:MOST_ACCESSES])
    ]
    violations.raise_if_any()
    name = hashlib.sha256(f"{call.caller.user_id}:{request_id}".encode()).hexdigest()
    await store_accesses(env, name, batch)


def _checked(violations: Violations, field: str, some: AnsweredAccesses, now: datetime) -> tuple[Visitor, Visits]:
    """Answers what is to be counted; what a gateway whose clock is ahead dates into the future happened by now.

    A last use only ever grows, so one from the future would hide all that follow.
    """
    partner_id = violations.uuid(f"{field}.partner_id", some.partner_id)
    token_id = violations.uuid(f"{field}.token_id", some.token_id)
    violations.text(f"{field}.token_prefix", some.token_prefix, shortest=1, longest=LONGEST_PREFIX)
    violations.number(f"{field}.count", some.count, least=1, greatest=MOST_IN_ONE)
    if some.first_at <= NEVER:
        violations.add(f"{field}.first_at", "is required")
    if some.last_at < some.first_at:
        violations.add(f"{field}.last_at", "must not lie before first_at")
    address = some.client_ip
    try:
        address = str(allowlist.address(some.client_ip))
    except ValueError:
        violations.add(f"{field}.client_ip", "must be an IPv4 or IPv6 address")
    visitor = Visitor(partner_id, token_id, some.token_prefix, address, storable_agent(some.user_agent))
    return visitor, Visits(min(some.first_at, now), min(some.last_at, now), some.count)
