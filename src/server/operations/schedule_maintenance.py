"""Announces maintenances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.domain.incident_content import check_message, check_title
from server.domain.maintenance import MOST_COMPONENTS, SCHEDULED, Maintenance, check_begin, check_times, tell
from server.domain.permission import Call
from server.domain.request_key import RequestKey
from server.domain.violation import Violations
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.once import first_result, remember
from server.operations.read_maintenances import load_maintenance, with_updates
from server.operations.read_status_page import load_status_page
from server.operations.settle_page import lock_page, settle_page
from server.storage import components, maintenances


@dataclass(frozen=True, slots=True)
class MaintenanceDraft:
    """A maintenance as sent: nothing checked; None: a time that is not set."""

    status_page_id: str
    title: str
    component_ids: Sequence[str]
    scheduled_for: datetime | None
    scheduled_until: datetime | None
    message: str


async def schedule_maintenance(env: Environment, call: Call, draft: MaintenanceDraft, key: RequestKey) -> Maintenance:
    """Announces a maintenance; one that should have begun already begins with the next round of the jobs."""
    now = env.now()
    page_id, named, begins, ends = _check(draft, key, now)
    async with change(env.sessions, call) as tx:
        await load_status_page(tx.session, call, page_id)
        page = await lock_page(tx, page_id, now)
        if first := await first_result(tx.session, call, key):
            return await with_updates(
                tx.session, await load_maintenance(tx.session, call, UUID(first["maintenance_id"]))
            )
        await require_components(tx.session, page.id, named)
        maintenance = Maintenance(
            id=env.new_id(),
            status_page_id=page.id,
            title=draft.title,
            component_ids=named,
            status=SCHEDULED,
            scheduled_for=begins,
            scheduled_until=ends,
            started_at=None,
            ended_at=None,
            revision=1,
            created_by=call.caller.user_id,
            created_at=now,
            updated_at=now,
            told_at=now,
        )
        maintenance = tell(maintenance, draft.message, update_id=env.new_id(), by=call.caller.user_id, at=now)
        await maintenances.add(tx.session, maintenance)
        await remember(tx.session, call, key, {"maintenance_id": str(maintenance.id)})
        await tx.audit("maintenance.scheduled", maintenance.id, team_id=page.team_id, title=maintenance.title)
        await settle_page(tx, page.id, now)
    return maintenance


def check_components(violations: Violations, component_ids: Sequence[str]) -> list[UUID]:
    if not 1 <= len(component_ids) <= MOST_COMPONENTS:
        violations.add("maintenance.component_ids", f"must be 1 to {MOST_COMPONENTS}")
        return []
    violations.unique("maintenance.component_ids", component_ids)
    return [violations.uuid(f"maintenance.component_ids[{n}]", sent) for n, sent in enumerate(component_ids)]


async def require_components(
    session: AsyncSession, page_id: UUID, named: Sequence[UUID], *, besides: Sequence[UUID] = ()
) -> None:
    """Wants components and groups of the page; or what is named `besides`, though it may be no more."""
    known = {component.id for component in await components.of_page(session, page_id)} | set(besides)
    violations = Violations()
    for index, component_id in enumerate(named):
        if component_id not in known:
            violations.add(f"maintenance.component_ids[{index}]", "must be a component of the page")
    violations.raise_if_any()


def _check(draft: MaintenanceDraft, key: RequestKey, now: datetime) -> tuple[UUID, list[UUID], datetime, datetime]:
    violations = Violations()
    page_id = violations.uuid("maintenance.status_page_id", draft.status_page_id)
    check_title(violations, "maintenance.title", draft.title)
    named = check_components(violations, draft.component_ids)
    if draft.scheduled_for is None:
        violations.add("maintenance.scheduled_for", "is required")
    else:
        check_begin(violations, draft.scheduled_for, now)
    if draft.scheduled_until is None:
        violations.add("maintenance.scheduled_until", "is required")
    elif draft.scheduled_for is not None:
        check_times(violations, draft.scheduled_for, draft.scheduled_until)
    check_message(violations, "message", draft.message, required=True)
    key.check(violations)
    violations.raise_if_any()
    return page_id, named, draft.scheduled_for or now, draft.scheduled_until or now
