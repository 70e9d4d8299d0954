"""Reads maintenances for the team that announced them."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.domain.maintenance import Maintenance, MaintenanceStatus
from server.domain.page import Page, PageRequest
from server.domain.permission import Call, not_found
from server.domain.violation import Violations, require_uuid
from server.operations.environment import Environment
from server.operations.read_status_page import load_status_page
from server.storage import maintenances, status_pages


async def load_maintenance(session: AsyncSession, call: Call, maintenance_id: UUID) -> Maintenance:
    """Answers a maintenance that the caller may use as this RPC does, without its updates."""
    maintenance = await maintenances.find(session, maintenance_id)
    # Looked for also where there is none: how long a refusal takes must not tell whether there is one.
    page = await status_pages.find(session, maintenance.status_page_id if maintenance else maintenance_id)
    if maintenance is None or page is None:
        raise not_found("maintenance")
    call.require(page.team_id, "maintenance")
    return maintenance


async def with_updates(session: AsyncSession, maintenance: Maintenance) -> Maintenance:
    """Answers the maintenance with all that was said of it."""
    updates = await maintenances.updates_of(session, [maintenance.id])
    return replace(maintenance, updates=tuple(updates[maintenance.id]))


async def get_maintenance(env: Environment, call: Call, maintenance_id: str) -> Maintenance:
    wanted = require_uuid("maintenance_id", maintenance_id)
    async with env.sessions() as session:
        return await with_updates(session, await load_maintenance(session, call, wanted))


async def list_maintenances(
    env: Environment, call: Call, *, status_page_id: str, status: str, request: PageRequest
) -> Page[Maintenance]:
    """Lists the maintenances of a page, newest first, without updates; `status` is empty for any."""
    violations = Violations()
    page_id = violations.uuid("status_page_id", status_page_id)
    wanted = MaintenanceStatus.__members__.get(status)
    if status and wanted is None:
        violations.add("status", "must be one of " + ", ".join(MaintenanceStatus))
    violations.raise_if_any()
    cursor = env.pager.open(call.method, {"status_page_id": status_page_id, "status": status}, request)
    before = UUID(cursor.position) if cursor.position else None
    async with env.sessions() as session:
        page = await load_status_page(session, call, page_id)
        found = await maintenances.page(session, page.id, status=wanted, before=before, limit=cursor.size + 1)
    return cursor.page(found, lambda maintenance: maintenance.id)
