"""Adds components and groups to status pages."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import FieldViolation, InvalidArgument
from server.domain.component import MOST_COMPONENTS, Component, ComponentContent, ComponentStatus, page_is_full
from server.domain.permission import Call
from server.domain.request_key import RequestKey
from server.domain.violation import Violations
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.once import first_result, remember
from server.operations.read_components import ComponentNow, load_component_now
from server.operations.read_status_page import load_status_page
from server.operations.settle_page import lock_page, settle_page
from server.storage import components


@dataclass(frozen=True, slots=True)
class ComponentDraft:
    """A component as sent: nothing checked; an empty status means that none was named."""

    status_page_id: str
    group_id: str
    is_group: bool
    name: str
    description: str
    status: str
    position: int
    only_show_if_degraded: bool


async def create_component(env: Environment, call: Call, draft: ComponentDraft, key: RequestKey) -> ComponentNow:
    """Adds a component or a group; a component that names no status is operational."""
    status_page_id, content = _check(draft, key)
    async with change(env.sessions, call) as tx:
        await load_status_page(tx.session, call, status_page_id)
        now = env.now()
        page = await lock_page(tx, status_page_id, now)
        if first := await first_result(tx.session, call, key):
            return await load_component_now(tx.session, UUID(first["component_id"]), now)
        if await components.count_of_page(tx.session, page.id) >= MOST_COMPONENTS:
            raise page_is_full()
        if content.group_id is not None:
            await require_group(tx.session, page.id, content.group_id)
        component = Component(env.new_id(), page.id, content, revision=1, created_at=now, updated_at=now)
        await components.add(tx.session, component)
        await remember(tx.session, call, key, {"component_id": str(component.id)})
        await tx.audit(
            "component.created", component.id, team_id=page.team_id, status_page_id=str(page.id), name=content.name
        )
        settled = await settle_page(tx, page.id, now)
    return ComponentNow(component, settled.statuses[component.id])


def _check(draft: ComponentDraft, key: RequestKey) -> tuple[UUID, ComponentContent]:
    violations = Violations()
    status_page_id = violations.uuid("component.status_page_id", draft.status_page_id)
    group_id = violations.optional_uuid("component.group_id", draft.group_id)
    content = ComponentContent(
        name=draft.name,
        description=draft.description,
        group_id=group_id,
        is_group=draft.is_group,
        status=checked_own_status(violations, draft.status, is_group=draft.is_group),
        position=draft.position,
        only_show_if_degraded=draft.only_show_if_degraded,
    )
    content.check(violations)
    key.check(violations)
    violations.raise_if_any()
    return status_page_id, content


def checked_own_status(violations: Violations, name: str, *, is_group: bool) -> ComponentStatus:
    """Answers the status of that name; OPERATIONAL where none is named."""
    if is_group and name:
        violations.add("component.status", "must be unspecified for a group: it is computed")
    elif name and name not in ComponentStatus.__members__:
        violations.add("component.status", "must be one of " + ", ".join(ComponentStatus.__members__))
    return ComponentStatus.__members__.get(name, ComponentStatus.OPERATIONAL)


async def require_group(session: AsyncSession, status_page_id: UUID, group_id: UUID) -> None:
    group = await components.find(session, group_id)
    if group is None or group.status_page_id != status_page_id or not group.content.is_group:
        raise InvalidArgument([FieldViolation("component.group_id", "must be a group of the same page")])
