"""Pages with a word of its own in every field; of each thing is one that a scope sees, and one that it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from oncall.v1 import incident_pb2, incident_service_pb2, maintenance_pb2, status_page_pb2, status_page_service_pb2
from tests.leaks.canaries import Furniture, word
from tests.status_pages import StatusPageDesk, a_maintenance_request

DEGRADED = status_page_pb2.COMPONENT_STATUS_DEGRADED_PERFORMANCE
MAJOR = status_page_pb2.COMPONENT_STATUS_MAJOR_OUTAGE


@dataclass(slots=True)
class FurnishedPage:
    """A page and what stands on it; what a narrow scope sees has never been out, so that its numbers stand still."""

    desk: StatusPageDesk
    page: status_page_pb2.StatusPage
    furniture: Furniture
    seen_id: str = ""
    hidden_id: str = ""
    hidden_incident: incident_pb2.Incident = field(default_factory=incident_pb2.Incident)

    async def furnish(self) -> None:
        group = await self._component(group=True)
        closed = await self._component(group=True, hidden=True)
        self.seen_id = await self._component(group_id=group)
        self.hidden_id = await self._component(group_id=group, hidden=True, status=MAJOR)
        alone = await self._component(group_id=closed, hidden=True, only_show_if_degraded=True)
        both = await self._incident({self.seen_id: DEGRADED, self.hidden_id: MAJOR})
        said = await self.desk.says(both, self.furniture.new(), impacts={self.hidden_id: DEGRADED})
        self._noted(await self.desk.resolves(said))
        self.hidden_incident = await self._incident({self.hidden_id: MAJOR, alone: DEGRADED}, hidden=True)
        await self._maintenance(self.seen_id, self.hidden_id)
        await self._maintenance(closed, hidden=True)
        await self._maintenance(self.hidden_id, hidden=True, begins=timedelta(hours=-1), active=True)
        await self._never_shown()

    async def _component(self, *, hidden: bool = False, **fields: Any) -> str:
        new = self.furniture.new
        made = await self.desk.a_component(
            self.page, new(hidden=hidden), description=new(hidden=hidden) if not fields.get("group") else "", **fields
        )
        self._note(made.id, hidden=hidden)
        return made.id

    async def _incident(
        self, impacts: Mapping[str, status_page_pb2.ComponentStatus], *, hidden: bool = False
    ) -> incident_pb2.Incident:
        request = incident_service_pb2.CreateIncidentRequest(message=self.furniture.new(hidden=hidden))
        incident = request.incident
        incident.team_id, incident.status_page_id = self.page.team_id, self.page.id
        incident.title, incident.severity = self.furniture.new(hidden=hidden), incident_pb2.INCIDENT_SEVERITY_SEV1
        incident.description, incident.labels[word()] = word(), word()  # for the team alone
        for component_id, status in impacts.items():
            incident.impacts.add(component_id=component_id, status=status)
        metadata = self.desk.team.responder.metadata
        made = (await self.desk.incidents.CreateIncident(request, metadata=metadata)).incident
        self._noted(made, hidden=hidden)
        return made

    async def _maintenance(
        self, *component_ids: str, hidden: bool = False, active: bool = False, **times: timedelta
    ) -> maintenance_pb2.Maintenance:
        request = a_maintenance_request(self.page.id, *component_ids, **times)
        request.maintenance.title = self.furniture.new(hidden=hidden)
        request.message = self.furniture.new(hidden=hidden)
        made = await self._scheduled(request)
        if active:
            made = await self.desk.changes(
                made.id, self.furniture.new(hidden=hidden), status=maintenance_pb2.MAINTENANCE_STATUS_IN_PROGRESS
            )
        self._noted(made, hidden=hidden)
        return made

    async def _never_shown(self) -> None:
        """A maintenance that was called off, and an incident that no page tells of."""
        request = a_maintenance_request(self.page.id, self.seen_id)
        request.maintenance.title, request.message = word(), word()
        off = status_page_service_pb2.CancelMaintenanceRequest(
            maintenance_id=(await self._scheduled(request)).id, message=word()
        )
        await self.desk.pages.CancelMaintenance(off, metadata=self.desk.team.responder.metadata)
        await self.desk.an_incident(self.page, status_page_id="", title=word(), description=word())

    async def _scheduled(
        self, request: status_page_service_pb2.ScheduleMaintenanceRequest
    ) -> maintenance_pb2.Maintenance:
        metadata = self.desk.team.responder.metadata
        return (await self.desk.pages.ScheduleMaintenance(request, metadata=metadata)).maintenance

    def _noted(self, made: incident_pb2.Incident | maintenance_pb2.Maintenance, *, hidden: bool = False) -> None:
        self._note(made.id, *(update.id for update in made.updates), hidden=hidden)

    def _note(self, *ids: str, hidden: bool = False) -> None:
        (self.furniture.hidden if hidden else self.furniture.seen).update(ids)


async def a_furnished_page(
    desk: StatusPageDesk, slug: str, visibility: status_page_pb2.StatusPageVisibility
) -> FurnishedPage:
    furniture = Furniture()
    page = await desk.a_page(
        visibility,
        slug=slug,
        name=furniture.new(),
        logo_url=f"https://{furniture.new()}.example/logo.svg",
        support_url=f"https://{furniture.new()}.example/help",
    )
    furniture.seen.add(page.id)
    made = FurnishedPage(desk, page, furniture)
    await made.furnish()
    return made
