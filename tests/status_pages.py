"""Status pages and partners for tests, made over a real channel as a team admin would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from types import MappingProxyType
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.duration_pb2 import Duration
from sqlalchemy import select, update

from kernel.database import Sessions, transaction
from kernel.status_page_tables import component_status_changes, partners
from oncall.v1 import (
    incident_pb2,
    incident_service_pb2,
    incident_service_pb2_grpc,
    maintenance_pb2,
    partner_service_pb2,
    partner_service_pb2_grpc,
    status_page_pb2,
    status_page_service_pb2,
    status_page_service_pb2_grpc,
)
from oncall.v1.partner_pb2 import Partner
from tests.builders import Person, TeamWithPeople

PUBLIC = status_page_pb2.STATUS_PAGE_VISIBILITY_PUBLIC
PRIVATE = status_page_pb2.STATUS_PAGE_VISIBILITY_PRIVATE

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class KnownPartner:
    """A partner and the token they read with."""

    id: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StatusPageDesk:
    """What a team admin does about status pages, and what the gateway asks."""

    channel: grpc.aio.Channel
    sessions: Sessions
    team: TeamWithPeople
    gateway: Person

    @property
    def pages(self) -> status_page_service_pb2_grpc.StatusPageServiceAsyncStub:
        return status_page_service_pb2_grpc.StatusPageServiceStub(self.channel)

    @property
    def partners(self) -> partner_service_pb2_grpc.PartnerServiceAsyncStub:
        return partner_service_pb2_grpc.PartnerServiceStub(self.channel)

    async def a_page(
        self, visibility: status_page_pb2.StatusPageVisibility = PRIVATE, **fields: Any
    ) -> status_page_pb2.StatusPage:
        page = {"team_id": str(self.team.id), "slug": f"page-{next(_numbers)}", "name": "Acme", **fields}
        request = status_page_service_pb2.CreateStatusPageRequest(status_page={**page, "visibility": visibility})  # type: ignore[arg-type]
        return (await self.pages.CreateStatusPage(request, metadata=self.team.author.metadata)).status_page

    async def a_component(
        self, page: status_page_pb2.StatusPage, name: str, **fields: Any
    ) -> status_page_pb2.Component:
        component = status_page_pb2.Component(status_page_id=page.id, name=name, **fields)
        request = status_page_service_pb2.CreateComponentRequest(component=component)
        return (await self.pages.CreateComponent(request, metadata=self.team.author.metadata)).component

    @property
    def incidents(self) -> incident_service_pb2_grpc.IncidentServiceAsyncStub:
        return incident_service_pb2_grpc.IncidentServiceStub(self.channel)

    async def an_incident(
        self,
        page: status_page_pb2.StatusPage,
        impacts: Mapping[str, status_page_pb2.ComponentStatus] = MappingProxyType({}),
        **fields: Any,
    ) -> incident_pb2.Incident:
        """Opens an incident that does this to these components."""
        incident = incident_pb2.Incident(
            **{"team_id": page.team_id, "status_page_id": page.id, "title": "It is slow", **fields}
        )
        incident.severity = incident.severity or incident_pb2.INCIDENT_SEVERITY_SEV2
        for component_id, status in impacts.items():
            incident.impacts.add(component_id=component_id, status=status)
        request = incident_service_pb2.CreateIncidentRequest(incident=incident)
        return (await self.incidents.CreateIncident(request, metadata=self.team.responder.metadata)).incident

    async def says(
        self, incident: incident_pb2.Incident, message: str = "We know more.", **fields: Any
    ) -> incident_pb2.Incident:
        """Says something of an incident; `impacts` are as those of `an_incident`."""
        impacts = fields.pop("impacts", {})
        request = incident_service_pb2.AddIncidentUpdateRequest(incident_id=incident.id, message=message, **fields)
        for component_id, status in impacts.items():
            request.impacts.add(component_id=component_id, status=status)
        return (await self.incidents.AddIncidentUpdate(request, metadata=self.team.responder.metadata)).incident

    async def resolves(self, incident: incident_pb2.Incident) -> incident_pb2.Incident:
        request = incident_service_pb2.ResolveIncidentRequest(incident_id=incident.id)
        return (await self.incidents.ResolveIncident(request, metadata=self.team.responder.metadata)).incident

    async def a_maintenance(
        self, page: status_page_pb2.StatusPage, *component_ids: str, **times: timedelta
    ) -> maintenance_pb2.Maintenance:
        request = a_maintenance_request(page.id, *component_ids, **times)
        return (await self.pages.ScheduleMaintenance(request, metadata=self.team.responder.metadata)).maintenance

    async def changes(self, maintenance_id: str, message: str = "", **fields: Any) -> maintenance_pb2.Maintenance:
        """Changes these fields of a maintenance."""
        request = status_page_service_pb2.UpdateMaintenanceRequest(
            maintenance=maintenance_pb2.Maintenance(id=maintenance_id, **fields), message=message
        )
        request.update_mask.paths.extend(fields)
        return (await self.pages.UpdateMaintenance(request, metadata=self.team.responder.metadata)).maintenance

    async def sets(self, component_id: str, **fields: Any) -> status_page_pb2.Component:
        """Changes these fields of a component."""
        request = status_page_service_pb2.UpdateComponentRequest(
            component=status_page_pb2.Component(id=component_id, **fields)
        )
        request.update_mask.paths.extend(fields)
        return (await self.pages.UpdateComponent(request, metadata=self.team.author.metadata)).component

    async def reports(self, component_id: str, status: Any, seconds: int = 60, **fields: Any) -> Any:
        """Reports what a check found."""
        request = status_page_service_pb2.ReportComponentStatusRequest(
            component_id=component_id, status=status, expires_after=Duration(seconds=seconds), **fields
        )
        return (await self.pages.ReportComponentStatus(request, metadata=self.team.responder.metadata)).component

    async def history(self, component_id: str) -> list[tuple[datetime, str]]:
        """Answers how a component was shown, oldest first."""
        changes = component_status_changes
        query = select(changes.c.at, changes.c.status).where(changes.c.component_id == UUID(component_id))
        async with self.sessions() as session:
            return [(row.at, row.status) for row in await session.execute(query.order_by(changes.c.at))]

    async def a_partner(self, page: status_page_pb2.StatusPage, **fields: Any) -> KnownPartner:
        partner = Partner(**{"status_page_id": page.id, "name": f"Partner {next(_numbers)}", **fields})
        request = partner_service_pb2.CreatePartnerRequest(partner=partner)
        answer = await self.partners.CreatePartner(request, metadata=self.team.author.metadata)
        return KnownPartner(answer.partner.id, answer.token)

    async def revoke(self, partner: KnownPartner) -> Partner:
        request = partner_service_pb2.RevokePartnerRequest(partner_id=partner.id)
        return (await self.partners.RevokePartner(request, metadata=self.team.author.metadata)).partner

    async def changes_partner(self, partner: KnownPartner, *, etag: str = "", **fields: Any) -> Partner:
        """Changes these fields of a partner."""
        request = partner_service_pb2.UpdatePartnerRequest(partner=Partner(id=partner.id, etag=etag, **fields))
        request.update_mask.paths.extend(fields)
        return (await self.partners.UpdatePartner(request, metadata=self.team.author.metadata)).partner

    async def rotates(
        self, partner: KnownPartner, grace: timedelta | None = None, request_id: str = ""
    ) -> partner_service_pb2.RotatePartnerTokenResponse:
        """Gives a partner a new token; without a grace the old one ends at once."""
        request = partner_service_pb2.RotatePartnerTokenRequest(partner_id=partner.id, request_id=request_id)
        if grace is not None:
            request.grace_period.FromTimedelta(grace)
        return await self.partners.RotatePartnerToken(request, metadata=self.team.author.metadata)

    async def kept(self, partner: KnownPartner) -> Partner:
        """Answers the partner as an observer of the team sees them."""
        request = partner_service_pb2.GetPartnerRequest(partner_id=partner.id)
        return (await self.partners.GetPartner(request, metadata=self.team.observer.metadata)).partner

    async def expire(self, partner: KnownPartner) -> None:
        """Lets a partner's access have ended, without waiting for it."""
        ended = datetime.now(UTC) - timedelta(seconds=1)
        async with transaction(self.sessions) as tx:
            await tx.session.execute(update(partners).where(partners.c.id == UUID(partner.id)).values(expires_at=ended))

    async def read(self, slug: str, token: str | None = None, **fields: Any) -> Any:
        """Asks as the gateway would for a client at 192.0.2.7."""
        asked = {"slug": slug, "client_ip": "192.0.2.7", "user_agent": "test/1.0", **fields}
        request = partner_service_pb2.GetStatusPageRequest(**asked)
        if token is not None:
            request.partner_token = token
        return await self.partners.GetStatusPage(request, metadata=self.gateway.metadata)


def a_maintenance_request(
    page_id: str, *component_ids: str, begins: timedelta = timedelta(hours=1), lasts: timedelta = timedelta(hours=1)
) -> status_page_service_pb2.ScheduleMaintenanceRequest:
    """A maintenance of these components that begins so much from now."""
    request = status_page_service_pb2.ScheduleMaintenanceRequest(message="We upgrade the database.")
    maintenance, at = request.maintenance, datetime.now(UTC) + begins
    maintenance.status_page_id, maintenance.title = page_id, "Database upgrade"
    maintenance.component_ids.extend(component_ids)
    maintenance.scheduled_for.FromDatetime(at)
    maintenance.scheduled_until.FromDatetime(at + lasts)
    return request


def names(components: Sequence[Any]) -> list[str]:
    return [component.name for component in components]
