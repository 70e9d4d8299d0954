"""What the demo's status page tells of: an open incident, one that is over, and a maintenance of tomorrow.

Each is there after every start: what has ended since an earlier one is made anew, so that there is something to see.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from cli.demo import content
from cli.demo.listing import every
from cli.demo.status_page import DemoPage
from oncall.client import Client
from oncall.v1 import incident_pb2 as incident_pb
from oncall.v1 import incident_service_pb2 as incident_rpc
from oncall.v1 import incident_service_pb2_grpc, status_page_service_pb2_grpc
from oncall.v1 import status_page_pb2 as page_pb
from oncall.v1 import status_page_service_pb2 as page_rpc
from oncall.v1.maintenance_pb2 import Maintenance


async def open_events(author: Client, demo: DemoPage) -> dict[str, str]:
    """Answers the ids of the open incident and of the maintenance, by what they are."""
    incidents = incident_service_pb2_grpc.IncidentServiceStub(author.channel)
    request = incident_rpc.ListIncidentsRequest(status_page_id=demo.page.id)
    known = [incident async for incident in every(incidents.ListIncidents, request, "incidents")]
    if not any(incident.title == content.PAST_INCIDENT for incident in known):
        await _past_incident(incidents, demo)
    is_open = {incident.title: incident.id for incident in known if not incident.HasField("resolved_at")}
    return {
        "incident_id": is_open.get(content.OPEN_INCIDENT) or await _open_incident(incidents, demo),
        "maintenance_id": await _maintenance(status_page_service_pb2_grpc.StatusPageServiceStub(author.channel), demo),
    }


async def _open_incident(incidents: incident_service_pb2_grpc.IncidentServiceAsyncStub, demo: DemoPage) -> str:
    impacts = {"Checkout": page_pb.COMPONENT_STATUS_DEGRADED_PERFORMANCE}
    opened = await _incident(incidents, demo, content.OPEN_INCIDENT, content.OPEN_SAYS, impacts)
    said = incident_rpc.AddIncidentUpdateRequest(
        incident_id=opened.id, status=incident_pb.INCIDENT_STATUS_IDENTIFIED, message=content.OPEN_THEN_SAYS
    )
    await incidents.AddIncidentUpdate(said)
    return opened.id


async def _past_incident(incidents: incident_service_pb2_grpc.IncidentServiceAsyncStub, demo: DemoPage) -> None:
    impacts = {"Reports": page_pb.COMPONENT_STATUS_PARTIAL_OUTAGE}
    opened = await _incident(incidents, demo, content.PAST_INCIDENT, content.PAST_SAYS, impacts)
    await incidents.ResolveIncident(
        incident_rpc.ResolveIncidentRequest(incident_id=opened.id, message=content.PAST_ENDS)
    )


async def _incident(
    incidents: incident_service_pb2_grpc.IncidentServiceAsyncStub,
    demo: DemoPage,
    title: str,
    message: str,
    impacts: Mapping[str, page_pb.ComponentStatus.ValueType],
) -> incident_pb.Incident:
    incident = incident_pb.Incident(
        team_id=demo.page.team_id,
        status_page_id=demo.page.id,
        title=title,
        severity=incident_pb.INCIDENT_SEVERITY_SEV3,
        impacts=[
            incident_pb.ComponentImpact(component_id=demo.components[name], status=status)
            for name, status in impacts.items()
        ],
    )
    request = incident_rpc.CreateIncidentRequest(incident=incident, message=message)
    return (await incidents.CreateIncident(request)).incident


async def _maintenance(pages: status_page_service_pb2_grpc.StatusPageServiceAsyncStub, demo: DemoPage) -> str:
    request = page_rpc.ListMaintenancesRequest(status_page_id=demo.page.id)
    async for known in every(pages.ListMaintenances, request, "maintenances"):
        if known.title == content.MAINTENANCE and not known.HasField("ended_at"):
            return str(known.id)
    begins = datetime.now(UTC).replace(hour=22, minute=0, second=0, microsecond=0) + timedelta(days=1)
    maintenance = Maintenance(
        status_page_id=demo.page.id,
        title=content.MAINTENANCE,
        component_ids=[demo.components["For partners"]],
    )
    maintenance.scheduled_for.FromDatetime(begins)
    maintenance.scheduled_until.FromDatetime(begins + timedelta(hours=1))
    wanted = page_rpc.ScheduleMaintenanceRequest(maintenance=maintenance, message=content.MAINTENANCE_SAYS)
    return (await pages.ScheduleMaintenance(wanted)).maintenance.id
