"""Reads components for the team that keeps them, with how each is shown to who sees everything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.domain.component import Component, ComponentStatus, place
from server.domain.page import Page, PageRequest
from server.domain.permission import Call, not_found
from server.domain.violation import require_uuid
from server.operations.environment import Environment
from server.operations.read_status_page import load_status_page
from server.operations.settle_page import load_page_state
from server.storage import components, status_pages


@dataclass(frozen=True, slots=True)
class ComponentNow:
    """A component, and how it is shown."""

    component: Component
    shown_status: ComponentStatus


async def load_component(session: AsyncSession, call: Call, component_id: UUID) -> Component:
    """Answers a component that the caller may use as this RPC does."""
    component = await components.find(session, component_id)
    # Looked for also where there is none: how long a refusal takes must not tell whether there is one.
    page = await status_pages.find(session, component.status_page_id if component else component_id)
    if component is None or page is None:
        raise not_found("component")
    call.require(page.team_id, "component")
    return component


async def load_component_now(session: AsyncSession, component_id: UUID, now: datetime) -> ComponentNow:
    """Answers a component of a page that the caller may use, as a repeated call finds it."""
    component = await components.find(session, component_id)
    if component is None:
        raise not_found("component")
    state = await load_page_state(session, component.status_page_id)
    return ComponentNow(component, state.status(component, now))


async def list_components(
    env: Environment, call: Call, *, status_page_id: str, request: PageRequest
) -> Page[ComponentNow]:
    """Lists the components of a page, each group directly before its children.

    A page of the list goes on behind the place where the one before ended, so what is deleted meanwhile hides nothing.
    """
    wanted = require_uuid("status_page_id", status_page_id)
    cursor = env.pager.open(call.method, {"status_page_id": status_page_id}, request)
    async with env.sessions() as session:
        page = await load_status_page(session, call, wanted)
        state = await load_page_state(session, page.id)
    now = env.now()
    by_id = {component.id: component for component in state.components}
    ordered = sorted(((_place(c, by_id), c) for c in state.components), key=lambda pair: pair[0])
    rest = [pair for pair in ordered if cursor.position is None or pair[0] > json.loads(cursor.position)]
    found = cursor.page(rest[: cursor.size + 1], lambda pair: json.dumps(pair[0], separators=(",", ":")))
    return Page([ComponentNow(c, state.status(c, now)) for _, c in found.items], found.next_token)


def _place(component: Component, by_id: dict[UUID, Component]) -> list[list[int | str]]:
    """Answers what the list is ordered by, comparable as JSON has it: a group comes before what its place begins."""
    group = by_id.get(component.content.group_id) if component.content.group_id else None
    path: Sequence[Component] = (group, component) if group else (component,)
    return [[position, at.isoformat(timespec="microseconds"), str(own)] for position, at, own in map(place, path)]
