"""A page as a busy team's would be, made by the calls that a team makes; only its past is put into the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import insert, update

from kernel.database import transaction
from kernel.incident_tables import incident_updates, incidents
from kernel.status_page_tables import component_status_changes, components
from oncall.v1 import incident_pb2 as incident
from oncall.v1 import status_page_pb2 as status_page
from tests.status_pages import PRIVATE, StatusPageDesk, a_maintenance_request

DEGRADED = status_page.COMPONENT_STATUS_DEGRADED_PERFORMANCE
PARTIAL = status_page.COMPONENT_STATUS_PARTIAL_OUTAGE

GROUPS = {
    "Payments": ["Card payments", "Direct debit", "Refunds", "Payouts", "Fraud checks"],
    "Developer platform": ["REST API", "Webhooks", "Sandbox", "Client libraries"],
    "Dashboard": ["Sign-in", "Reports", "Exports", "Search"],
    "Regions": ["Frankfurt", "Dublin", "Virginia"],
}

_PAST = [  # title, component, how it was, days ago, minutes
    ("Slow sign-in", "Sign-in", DEGRADED, 9, 48),
    ("Refunds delayed", "Refunds", PARTIAL, 16, 185),
    ("REST API errors", "REST API", status_page.COMPONENT_STATUS_MAJOR_OUTAGE, 33, 22),
    ("Payouts delayed by the bank holiday", "Payouts", PARTIAL, 40, 1510),
    ("Search results out of date", "Search", DEGRADED, 61, 95),
]

_CARDS = """One of two acquirers answers slowly. We are moving traffic to the **other one**.

- Cards issued in the EU: about 12 % affected
- All others: not affected"""


@dataclass(frozen=True, slots=True)
class BusyPage:
    """A page and its components by name."""

    page: status_page.StatusPage
    components: Mapping[str, status_page.Component]


async def a_busy_page(
    desk: StatusPageDesk, visibility: status_page.StatusPageVisibility = PRIVATE, *, slug: str = "acme"
) -> BusyPage:
    """Makes twenty components in four groups, 90 days of history, an open incident and two maintenances."""
    page = await desk.a_page(
        visibility,
        slug=slug,
        name="Acme Payments",
        time_zone="Europe/Berlin",
        accent_color="#6d3fd1",
        support_url="https://help.example/acme",
    )
    made: dict[str, status_page.Component] = {}
    for place, (name, children) in enumerate(GROUPS.items()):
        about = "Card, bank and wallet payments" if name == "Payments" else ""
        made[name] = await desk.a_component(page, name, group=True, position=place, description=about)
        for position, child in enumerate(children):
            made[child] = await desk.a_component(page, child, group_id=made[name].id, position=position)
    busy = BusyPage(page, made)
    await _past(desk, busy)
    await _present(desk, busy)
    return busy


async def _present(desk: StatusPageDesk, busy: BusyPage) -> None:
    cards = await desk.an_incident(
        busy.page, {busy.components["Card payments"].id: PARTIAL}, title="Some card payments are declined"
    )
    await desk.says(cards, _CARDS, status=incident.INCIDENT_STATUS_IDENTIFIED)
    sandbox = a_maintenance_request(
        busy.page.id,
        busy.components["Sandbox"].id,
        busy.components["Client libraries"].id,
        begins=timedelta(days=4, hours=12),
        lasts=timedelta(hours=2),
    )
    sandbox.maintenance.title = "Database upgrade of the sandbox"
    sandbox.message = "The sandbox will be read-only for some minutes."
    await desk.pages.ScheduleMaintenance(sandbox, metadata=desk.team.responder.metadata)


async def _past(desk: StatusPageDesk, busy: BusyPage) -> None:
    """Lets the page have been there for 100 days, and incidents have begun and ended in them."""
    now = datetime.now(UTC)
    began = now - timedelta(days=100)
    async with transaction(desk.sessions) as tx:
        page_id = UUID(busy.page.id)
        await tx.session.execute(
            update(components).where(components.c.status_page_id == page_id).values(created_at=began)
        )
    for title, name, status, days, minutes in _PAST:
        component_id = busy.components[name].id
        opened = await desk.an_incident(busy.page, {component_id: status}, title=title)
        await desk.says(opened, "A fix is in place; we watch its effect.", status=incident.INCIDENT_STATUS_MONITORING)
        await desk.resolves(opened)
        since = now - timedelta(days=days)
        await _move(desk, UUID(opened.id), UUID(component_id), status, since, since + timedelta(minutes=minutes))


async def _move(
    desk: StatusPageDesk,
    incident_id: UUID,
    component_id: UUID,
    status: status_page.ComponentStatus,
    since: datetime,
    until: datetime,
) -> None:
    """Puts an incident that was just opened and resolved into the past, with what it did to a component."""
    changes = component_status_changes
    times = {"started_at": since, "created_at": since, "monitoring_at": until, "resolved_at": until}
    name = status_page.ComponentStatus.Name(status).removeprefix("COMPONENT_STATUS_")
    async with transaction(desk.sessions) as tx:
        await tx.session.execute(
            update(incidents).where(incidents.c.id == incident_id).values(**times, updated_at=until)
        )
        await tx.session.execute(
            update(incident_updates).where(incident_updates.c.incident_id == incident_id).values(created_at=since)
        )
        await tx.session.execute(changes.delete().where(changes.c.component_id == component_id))
        await tx.session.execute(
            insert(changes),
            [
                {"component_id": component_id, "at": since, "status": name},
                {"component_id": component_id, "at": until, "status": "OPERATIONAL"},
            ],
        )
