"""Reads the audit: team admins that of their teams, platform admins all of it and its chain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kernel.errors import PermissionDenied
from server.domain.audit import AuditOutcome, AuditRecord
from server.domain.page import Page, PageRequest
from server.domain.permission import Call
from server.domain.violation import Violations
from server.operations.environment import Environment
from server.storage import audit_events
from server.storage.audit_events import AuditFilter

LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """What is asked for, as sent; empty everywhere means anything."""

    team_id: str = ""
    actor_id: str = ""
    action: str = ""
    resource_type: str = ""
    resource_id: str = ""
    after: datetime | None = None
    before: datetime | None = None
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class ChainPage:
    """A page of the chain, and how long the chain is; `unsealed` is counted on the last page only."""

    records: Page[AuditRecord]
    length: int
    unsealed: int


async def list_audit_events(env: Environment, call: Call, query: AuditQuery, request: PageRequest) -> Page[AuditRecord]:
    """Lists events, newest first."""
    violations = Violations()
    wanted = AuditFilter(
        team_id=violations.optional_uuid("team_id", query.team_id),
        actor_id=violations.optional_uuid("actor_id", query.actor_id),
        action=query.action,
        resource_type=query.resource_type,
        resource_id=query.resource_id,
        since=query.after,
        until=query.before,
        outcome=AuditOutcome.__members__.get(query.outcome),
    )
    for name in ("action", "resource_type", "resource_id"):
        violations.text(name, getattr(query, name), longest=LONGEST_NAME)
    if query.outcome and wanted.outcome is None:
        violations.add("outcome", "must be one of " + ", ".join(AuditOutcome))
    violations.raise_if_any()
    filters = {name: str(value or "") for name, value in _items(query)}
    cursor = env.pager.open(call.method, filters, request)
    if wanted.team_id is not None:
        call.require(wanted.team_id, "team")
    else:
        _require_platform_admin(call, "this needs a `team_id`: only platform admins may read the audit of all teams")
    before = int(cursor.position) if cursor.position else None
    async with env.sessions() as session:
        found = await audit_events.page(session, wanted, before=before, limit=cursor.size + 1)
    return cursor.page(found, lambda record: record.event_id)


async def list_chain(env: Environment, call: Call, query: AuditQuery, after: int, request: PageRequest) -> ChainPage:
    """Lists what is sealed past a position, in the order of the chain."""
    violations = Violations()
    violations.number("chain_after", after, least=0, greatest=2**63 - 1)
    for name, value in _items(query):
        if value:
            violations.add(name, "must not be set together with chain_after")
    violations.raise_if_any()
    cursor = env.pager.open(call.method, {"chain_after": str(after)}, request)
    _require_platform_admin(call, "only platform admins may read the chain, for it goes over all teams")
    start = int(cursor.position) if cursor.position else after
    async with env.sessions() as session:
        # The length first: what is sealed meanwhile must not look as if it were missing from the pages.
        length = await audit_events.chain_length(session)
        found = await audit_events.chain(session, after=start, limit=cursor.size + 1)
        page = cursor.page(found, _position)
        unsealed = 0 if page.next_token else await audit_events.count_unsealed(session)
    return ChainPage(page, length, unsealed)


def _position(record: AuditRecord) -> int:
    if record.seal is None:
        raise ValueError("what is in the chain has a seal")
    return record.seal.position


def _items(query: AuditQuery) -> list[tuple[str, object]]:
    return [(name, getattr(query, name)) for name in AuditQuery.__slots__]


def _require_platform_admin(call: Call, sentence: str) -> None:
    if not call.caller.is_platform_admin:
        raise PermissionDenied(sentence)
