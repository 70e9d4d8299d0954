"""Incidents between the contract and the domain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from oncall.v1 import incident_pb2 as pb
from oncall.v1 import incident_service_pb2, status_page_pb2
from server.domain.component import ComponentStatus
from server.domain.incident import ImpactChange, Incident, IncidentUpdate
from server.operations.create_incident import IncidentDraft
from server.operations.read_incidents import IncidentQuery
from server.operations.update_incident import UpdateDraft
from server.rpc.conversion import enum_from_pb, enum_to_pb, id_to_pb, time_from_pb, time_to_pb

STATUS_PREFIX = "INCIDENT_STATUS_"
SEVERITY_PREFIX = "INCIDENT_SEVERITY_"


def incident_from_pb(request: incident_service_pb2.CreateIncidentRequest) -> IncidentDraft:
    incident = request.incident
    started = time_from_pb("incident.started_at", incident.started_at) if incident.HasField("started_at") else None
    return IncidentDraft(
        team_id=incident.team_id,
        service_id=incident.service_id,
        status_page_id=incident.status_page_id,
        title=incident.title,
        description=incident.description,
        severity=severity_from_pb(incident.severity),
        status=status_from_pb(incident.status),
        impacts=_impacts_from_pb(incident.impacts),
        labels=dict(incident.labels),
        started_at=started,
        message=request.message,
    )


def update_from_pb(request: incident_service_pb2.AddIncidentUpdateRequest) -> UpdateDraft:
    return UpdateDraft(
        incident_id=request.incident_id,
        status=status_from_pb(request.status),
        message=request.message,
        impacts=_impacts_from_pb(request.impacts),
        etag=request.etag,
        severity=severity_from_pb(request.severity),
    )


def query_from_pb(request: incident_service_pb2.ListIncidentsRequest) -> IncidentQuery:
    return IncidentQuery(
        team_id=request.team_id,
        service_id=request.service_id,
        status_page_id=request.status_page_id,
        status=status_from_pb(request.status),
        severity=severity_from_pb(request.severity),
    )


def incident_to_pb(incident: Incident) -> pb.Incident:
    return pb.Incident(
        id=str(incident.id),
        team_id=str(incident.team_id),
        service_id=id_to_pb(incident.service_id),
        title=incident.title,
        description=incident.description,
        severity=enum_to_pb(pb.IncidentSeverity, SEVERITY_PREFIX, incident.severity),
        status=enum_to_pb(pb.IncidentStatus, STATUS_PREFIX, incident.status),
        status_page_id=id_to_pb(incident.status_page_id),
        impacts=[
            impact_to_pb(impact.component_id, impact.status)
            for impact in incident.impacts
            if impact.status is not ComponentStatus.OPERATIONAL
        ],
        labels=dict(incident.labels),
        started_at=time_to_pb(incident.started_at),
        acknowledged_at=time_to_pb(incident.acknowledged_at),
        acknowledged_by=id_to_pb(incident.acknowledged_by),
        monitoring_at=time_to_pb(incident.monitoring_at),
        resolved_at=time_to_pb(incident.resolved_at),
        updates=[_own_update_to_pb(update) for update in incident.updates],
        etag=incident.etag,
        created_by=id_to_pb(incident.created_by),
        created_at=time_to_pb(incident.created_at),
        updated_at=time_to_pb(incident.updated_at),
    )


def update_to_pb(update: IncidentUpdate) -> pb.IncidentUpdate:
    """Answers an update as those who read a page may know it."""
    return pb.IncidentUpdate(
        id=str(update.id),
        status=enum_to_pb(pb.IncidentStatus, STATUS_PREFIX, update.status),
        message=update.message,
        impact_changes=[_change_to_pb(change) for change in update.impact_changes],
        created_by=id_to_pb(update.created_by),
        created_at=time_to_pb(update.created_at),
    )


def _own_update_to_pb(update: IncidentUpdate) -> pb.IncidentUpdate:
    """Answers an update for the team, which also learns how bad the incident was from then on."""
    message = update_to_pb(update)
    if update.severity is not None:
        message.severity = enum_to_pb(pb.IncidentSeverity, SEVERITY_PREFIX, update.severity)
    return message


def impact_to_pb(component_id: object, status: ComponentStatus) -> pb.ComponentImpact:
    return pb.ComponentImpact(component_id=str(component_id), status=component_status_to_pb(status))


def component_status_to_pb(status: ComponentStatus) -> Any:
    return enum_to_pb(status_page_pb2.ComponentStatus, "COMPONENT_STATUS_", status.name)


def component_status_from_pb(number: int) -> str:
    return enum_from_pb(status_page_pb2.ComponentStatus, "COMPONENT_STATUS_", number)


def status_from_pb(number: int) -> str:
    return enum_from_pb(pb.IncidentStatus, STATUS_PREFIX, number)


def severity_from_pb(number: int) -> str:
    return enum_from_pb(pb.IncidentSeverity, SEVERITY_PREFIX, number)


def _impacts_from_pb(impacts: Iterable[pb.ComponentImpact]) -> list[tuple[str, str]]:
    return [(impact.component_id, component_status_from_pb(impact.status)) for impact in impacts]


def _change_to_pb(change: ImpactChange) -> pb.ImpactChange:
    return pb.ImpactChange(
        component_id=str(change.component_id),
        old_status=component_status_to_pb(change.old_status),
        new_status=component_status_to_pb(change.new_status),
    )
