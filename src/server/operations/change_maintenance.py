"""Changes maintenances, says things of them, and calls them off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from server.domain.incident_content import check_message, check_title
from server.domain.maintenance import (
    ACTIVE,
    CANCELLED,
    COMPLETED,
    ENDED,
    SCHEDULED,
    Maintenance,
    MaintenanceStatus,
    check_begin,
    check_times,
    move,
    tell,
)
from server.domain.permission import Call
from server.domain.runbook import illegal_transition
from server.domain.status_page import StatusPage
from server.domain.violation import Violations
from server.operations.change import Change, change
from server.operations.environment import Environment
from server.operations.read_maintenances import load_maintenance, with_updates
from server.operations.schedule_maintenance import check_components, require_components
from server.operations.settle_page import lock_page, settle_page
from server.storage import maintenances

UPDATABLE = ("title", "component_ids", "scheduled_for", "scheduled_until", "status")


@dataclass(frozen=True, slots=True)
class MaintenanceUpdateDraft:
    """An update as sent: the maintenance with new values, which of them count, and what to say."""

    maintenance_id: str
    title: str
    component_ids: Sequence[str]
    scheduled_for: datetime | None
    scheduled_until: datetime | None
    status: str
    etag: str
    paths: Sequence[str]
    message: str


async def update_maintenance(env: Environment, call: Call, draft: MaintenanceUpdateDraft) -> Maintenance:
    """Changes a maintenance or says something of it; where all is as wanted and nothing is said, nothing happens."""
    now = env.now()
    changes = _checked_changes(draft)
    async with _changing(env, call, draft.maintenance_id, now) as (tx, page, before):
        before.require_etag(draft.etag)
        to = changes.pop("status", before.status)
        if before.status in ENDED:
            raise illegal_transition("the maintenance", before.status, to)
        changed = replace(before, **changes)
        _check_whole(changed, before, now)
        if "component_ids" in changes:
            await require_components(tx.session, page.id, changes["component_ids"], besides=before.component_ids)
        if to is not before.status:
            changed = move(changed, to, now)
        if changed == before and not draft.message:
            return await with_updates(tx.session, before)
        if to is not before.status or draft.message:
            changed = tell(changed, draft.message, update_id=env.new_id(), by=call.caller.user_id, at=now)
        await tx.audit(
            "maintenance.updated",
            before.id,
            team_id=page.team_id,
            title=changed.title,
            fields=",".join(sorted(set(draft.paths))),
            from_status=before.status,
            to_status=changed.status,
        )
        return await store_change(tx, before, changed, now)


async def cancel_maintenance(env: Environment, call: Call, maintenance_id: str, message: str) -> Maintenance:
    """Calls a maintenance off, or ends one that is under way; one that was called off stays as it is."""
    violations = Violations()
    violations.uuid("maintenance_id", maintenance_id)
    check_message(violations, "message", message, required=False)
    violations.raise_if_any()
    now = env.now()
    async with _changing(env, call, maintenance_id, now) as (tx, page, before):
        if before.status is CANCELLED:
            return await with_updates(tx.session, before)
        changed = move(before, COMPLETED if before.status in ACTIVE else CANCELLED, now)
        changed = tell(changed, message, update_id=env.new_id(), by=call.caller.user_id, at=now)
        await tx.audit(
            "maintenance.cancelled",
            before.id,
            team_id=page.team_id,
            title=before.title,
            from_status=before.status,
            to_status=changed.status,
        )
        return await store_change(tx, before, changed, now)


async def store_change(tx: Change, before: Maintenance, changed: Maintenance, now: datetime) -> Maintenance:
    """Stores a changed maintenance at its next revision, with what was said newly, and tells of it.

    Which components it is about is not for everybody who sees it: a change of those alone is no news to the others.
    """
    said = changed.updates[0] if changed.updates else None
    only_components = replace(changed, component_ids=before.component_ids) == before
    changed = replace(
        changed,
        revision=before.revision + 1,
        updated_at=now,
        told_at=before.told_at if only_components else now,
        updates=(),
    )
    await maintenances.save(tx.session, changed)
    if said is not None:
        await maintenances.add_update(tx.session, said)
    await settle_page(tx, changed.status_page_id, now)
    return await with_updates(tx.session, changed)


@asynccontextmanager
async def _changing(
    env: Environment, call: Call, maintenance_id: str, now: datetime
) -> AsyncIterator[tuple[Change, StatusPage, Maintenance]]:
    """Opens the transaction of a change: the caller may make it, and nobody else changes anything on the page."""
    violations = Violations()
    wanted = violations.uuid("maintenance_id", maintenance_id)
    violations.raise_if_any()
    async with change(env.sessions, call) as tx:
        found = await load_maintenance(tx.session, call, wanted)
        page = await lock_page(tx, found.status_page_id, now, what="maintenance")
        yield tx, page, await load_maintenance(tx.session, call, wanted)


def _checked_changes(draft: MaintenanceUpdateDraft) -> dict[str, Any]:
    """Answers the new values of the fields that the mask names; fields that it does not name are not even looked at."""
    violations = Violations()
    violations.uuid("maintenance.id", draft.maintenance_id)
    paths, changes = set(draft.paths), dict[str, Any]()
    if paths - set(UPDATABLE) or not (paths or draft.message):
        violations.add("update_mask", f"must name some of {', '.join(UPDATABLE)}, or a message must be given")
    check_message(violations, "message", draft.message, required=False)
    if "title" in paths:
        check_title(violations, "maintenance.title", draft.title)
        changes["title"] = draft.title
    if "component_ids" in paths:
        changes["component_ids"] = tuple(check_components(violations, draft.component_ids))
    for name, sent in (("scheduled_for", draft.scheduled_for), ("scheduled_until", draft.scheduled_until)):
        if name in paths:
            changes[name] = sent
            if sent is None:
                violations.add(f"maintenance.{name}", "is required")
    if "status" in paths:
        changes["status"] = MaintenanceStatus.__members__.get(draft.status)
        if changes["status"] in {None, CANCELLED}:
            names = [status for status in MaintenanceStatus if status is not CANCELLED]
            violations.add("maintenance.status", "must be one of " + ", ".join(names))
    violations.raise_if_any()
    return changes


def _check_whole(changed: Maintenance, before: Maintenance, now: datetime) -> None:
    violations = Violations()
    if changed.scheduled_for != before.scheduled_for:
        check_begin(violations, changed.scheduled_for, now)
        if before.status is not SCHEDULED:
            violations.add("maintenance.scheduled_for", "must stay as it is: the maintenance has begun")
    check_times(violations, changed.scheduled_for, changed.scheduled_until)
    violations.raise_if_any()
