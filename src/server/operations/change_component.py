"""Changes and deletes components, and takes what checks report of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from kernel.errors import FailedPrecondition
from server.domain.component import REPORTABLE, Component, ComponentContent, ComponentReport, ComponentStatus
from server.domain.permission import Call, not_found
from server.domain.status_page import StatusPage
from server.domain.violation import Violations, require_uuid
from server.operations.change import Change, change
from server.operations.create_component import checked_own_status, require_group
from server.operations.environment import Environment
from server.operations.read_components import ComponentNow, load_component
from server.operations.settle_page import load_page_state, lock_page, settle_page
from server.operations.tell_page_change import Confirmations
from server.storage import components

UPDATABLE = ("group_id", "name", "description", "status", "position", "only_show_if_degraded")
SHORTEST_REPORT, LONGEST_REPORT = timedelta(seconds=10), timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class ComponentUpdate:
    """An update as sent: the component with new values, and which of them count; an empty status names none."""

    component_id: str
    group_id: str
    name: str
    description: str
    status: str
    position: int
    only_show_if_degraded: bool
    etag: str
    paths: Sequence[str]


@dataclass(frozen=True, slots=True)
class ReportDraft:
    """A report as sent; an empty status names none."""

    component_id: str
    status: str
    expires_after: timedelta | None
    status_when_silent: str


async def update_component(
    env: Environment, call: Call, confirmations: Confirmations, update: ComponentUpdate
) -> ComponentNow:
    """Changes a component; where all is as wanted already, nothing is written.

    Out of a group it may leave the sight of partners whose scope is that group: then this waits for all gateways. So
    does a repeat that finds it there, for perhaps nobody waited when it was moved.
    """
    violations = Violations()
    wanted = violations.uuid("component.id", update.component_id)
    if not update.paths or set(update.paths) - set(UPDATABLE):
        violations.add("update_mask", f"must name at least one of {', '.join(UPDATABLE)}, and nothing else")
    violations.raise_if_any()
    now = env.now()
    async with _changing(env, call, wanted, now) as (tx, page, component):
        component.require_etag(update.etag)
        content = _changed(component.content, update)
        placed = "group_id" in update.paths
        if content == component.content and not placed:
            state = await load_page_state(tx.session, page.id)
            return ComponentNow(component, state.status(component, now))
        if content != component.content:
            if content.group_id is not None and content.group_id != component.content.group_id:
                await require_group(tx.session, page.id, content.group_id)
            component = replace(component, content=content, revision=component.revision + 1, updated_at=now)
            await components.save(tx.session, component)
            fields = ",".join(sorted(set(update.paths)))
            await tx.audit("component.updated", component.id, team_id=page.team_id, name=content.name, fields=fields)
        settled = await settle_page(tx, page.id, now, confirm=placed)
    if placed:
        await confirmations.wait(settled.change_id)
    return ComponentNow(component, settled.statuses[component.id])


async def delete_component(
    env: Environment, call: Call, confirmations: Confirmations, component_id: str, *, etag: str
) -> None:
    """Deletes a component or an empty group with its history; answers once no gateway shows it any more."""
    wanted = require_uuid("component_id", component_id)
    now = env.now()
    async with _changing(env, call, wanted, now) as (tx, page, component):
        component.require_etag(etag)
        if any(other.content.group_id == component.id for other in await components.of_page(tx.session, page.id)):
            raise FailedPrecondition("the group has components; take them out of it first", reason="GROUP_NOT_EMPTY")
        await components.remove(tx.session, component.id)
        await tx.audit("component.deleted", component.id, team_id=page.team_id, name=component.content.name)
        settled = await settle_page(tx, page.id, now, confirm=True)
    await confirmations.wait(settled.change_id)


async def report_component_status(env: Environment, call: Call, draft: ReportDraft) -> ComponentNow:
    """Notes what a check found. Readers of the page are told only where that changes how the component is shown.

    A check reports every minute or so: neither the etag of the component nor the audit is about that.
    """
    wanted, status, lasts, when_silent = _checked_report(draft)
    now = env.now()
    async with _changing(env, call, wanted, now) as (tx, page, component):
        if component.content.is_group:
            raise FailedPrecondition("a group has no status of its own; report its components", reason="IS_GROUP")
        before = (await load_page_state(tx.session, page.id)).status(component, now)
        if component.report is not None and component.report.reported_at > now:
            return ComponentNow(component, before)
        first = component.report is None or component.report.status is not status
        component = replace(component, report=ComponentReport(status, now, now + lasts, when_silent))
        await components.save_report(tx.session, component)
        after = (await load_page_state(tx.session, page.id)).status(component, now)
        if first:
            await tx.audit("component.reported", component.id, team_id=page.team_id, status=status.value)
        if after is not before:
            await settle_page(tx, page.id, now)
    return ComponentNow(component, after)


@asynccontextmanager
async def _changing(
    env: Environment, call: Call, component_id: UUID, now: datetime
) -> AsyncIterator[tuple[Change, StatusPage, Component]]:
    """Opens the transaction of a change: the caller may make it, and nobody else changes anything on the page."""
    async with change(env.sessions, call) as tx:
        found = await load_component(tx.session, call, component_id)
        page = await lock_page(tx, found.status_page_id, now, what="component")
        component = await components.find(tx.session, component_id)
        if component is None:
            raise not_found("component")
        yield tx, page, component


def _changed(content: ComponentContent, update: ComponentUpdate) -> ComponentContent:
    violations = Violations()
    new: dict[str, object] = {
        "group_id": violations.optional_uuid("component.group_id", update.group_id)
        if "group_id" in update.paths
        else None,
        "name": update.name,
        "description": update.description,
        "status": checked_own_status(violations, update.status, is_group=content.is_group)
        if "status" in update.paths
        else None,
        "position": update.position,
        "only_show_if_degraded": update.only_show_if_degraded,
    }
    changed = replace(content, **{path: new[path] for path in update.paths})  # type: ignore[arg-type]
    changed.check(violations)
    violations.raise_if_any()
    return changed


def _checked_report(draft: ReportDraft) -> tuple[UUID, ComponentStatus, timedelta, ComponentStatus]:
    violations = Violations()
    wanted = violations.uuid("component_id", draft.component_id)
    status = _reportable(violations, "status", draft.status)
    when_silent = _reportable(violations, "status_when_silent", draft.status_when_silent or "MAJOR_OUTAGE")
    lasts = draft.expires_after
    if lasts is None or not SHORTEST_REPORT <= lasts <= LONGEST_REPORT:
        violations.add("expires_after", "must be 10 seconds to 24 hours")
    violations.raise_if_any()
    return wanted, status, lasts or SHORTEST_REPORT, when_silent


def _reportable(violations: Violations, field: str, name: str) -> ComponentStatus:
    names = {status.name: status for status in REPORTABLE}
    if name not in names:
        violations.add(field, "must be one of " + ", ".join(names))
    return names.get(name, ComponentStatus.MAJOR_OUTAGE)
