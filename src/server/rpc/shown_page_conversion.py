"""A page as one audience sees it, as the gateway is told of it, and the tag of it."""

from __future__ import annotations

import hashlib

from oncall.v1 import incident_pb2, maintenance_pb2, partner_pb2, partner_service_pb2, status_page_pb2
from oncall.v1 import shown_status_page_pb2 as pb
from server.domain.component import ComponentStatus, ShownComponent
from server.domain.shown_page import ShownIncident, ShownMaintenance, ShownPage
from server.domain.status_page import Headline
from server.domain.uptime import DayUptime, Uptime
from server.rpc.conversion import enum_to_pb, id_to_pb, time_to_pb
from server.rpc.incident_conversion import STATUS_PREFIX as INCIDENT_PREFIX
from server.rpc.incident_conversion import component_status_to_pb, impact_to_pb, update_to_pb
from server.rpc.maintenance_conversion import STATUS_PREFIX as MAINTENANCE_PREFIX
from server.rpc.maintenance_conversion import maintenance_said_to_pb

Response = partner_service_pb2.GetStatusPageResponse


def shown_page_to_pb(shown: ShownPage) -> Response:
    """Answers the content alone, and nothing of for whom it is."""
    return Response(
        status_page=_page_to_pb(shown),
        headline=_headline_to_pb(shown.headline),
        components=[_component_to_pb(component) for component in shown.components],
        incidents=[_incident_to_pb(incident) for incident in shown.incidents],
        maintenances=[_maintenance_to_pb(maintenance) for maintenance in shown.maintenances],
        uptimes=[_uptime_to_pb(uptime) for uptime in shown.uptimes],
    )


def content_tag(content: Response) -> str:
    """Answers what names exactly this content."""
    return hashlib.sha256(content.SerializeToString(deterministic=True)).hexdigest()


def _page_to_pb(shown: ShownPage) -> partner_pb2.ShownStatusPage:
    content = shown.page.content
    return partner_pb2.ShownStatusPage(
        id=str(shown.page.id),
        slug=content.slug,
        name=content.name,
        visibility=enum_to_pb(status_page_pb2.StatusPageVisibility, "STATUS_PAGE_VISIBILITY_", content.visibility.name),
        time_zone=content.time_zone,
        updated_at=time_to_pb(shown.updated_at),
        logo_url=content.logo_url,
        accent_color=content.accent_color,
        support_url=content.support_url,
    )


def _headline_to_pb(headline: Headline) -> partner_pb2.Headline:
    return partner_pb2.Headline(
        indicator=enum_to_pb(partner_pb2.HeadlineIndicator, "HEADLINE_INDICATOR_", headline.indicator.name),
        description=headline.description,
    )


def _component_to_pb(component: ShownComponent) -> partner_pb2.ShownComponent:
    return partner_pb2.ShownComponent(
        id=str(component.id),
        group_id=id_to_pb(component.group_id),
        group=component.is_group,
        name=component.name,
        description=component.description,
        status=component_status_to_pb(component.status),
        position=component.position,
        only_show_if_degraded=component.only_show_if_degraded,
        created_at=time_to_pb(component.created_at),
        updated_at=time_to_pb(component.updated_at),
    )


def _incident_to_pb(incident: ShownIncident) -> pb.ShownIncident:
    return pb.ShownIncident(
        id=str(incident.id),
        title=incident.title,
        status=enum_to_pb(incident_pb2.IncidentStatus, INCIDENT_PREFIX, incident.status),
        impact=enum_to_pb(pb.ImpactLevel, "IMPACT_LEVEL_", incident.impact.name),
        components=[impact_to_pb(component_id, status) for component_id, status in incident.components],
        updates=[update_to_pb(update) for update in incident.updates],
        started_at=time_to_pb(incident.started_at),
        monitoring_at=time_to_pb(incident.monitoring_at),
        resolved_at=time_to_pb(incident.resolved_at),
        created_at=time_to_pb(incident.created_at),
        updated_at=time_to_pb(incident.updated_at),
    )


def _maintenance_to_pb(maintenance: ShownMaintenance) -> pb.ShownMaintenance:
    return pb.ShownMaintenance(
        id=str(maintenance.id),
        title=maintenance.title,
        status=enum_to_pb(maintenance_pb2.MaintenanceStatus, MAINTENANCE_PREFIX, maintenance.status),
        component_ids=[str(component_id) for component_id in maintenance.component_ids],
        updates=[maintenance_said_to_pb(update) for update in maintenance.updates],
        scheduled_for=time_to_pb(maintenance.scheduled_for),
        scheduled_until=time_to_pb(maintenance.scheduled_until),
        started_at=time_to_pb(maintenance.started_at),
        ended_at=time_to_pb(maintenance.ended_at),
        created_at=time_to_pb(maintenance.created_at),
        updated_at=time_to_pb(maintenance.updated_at),
    )


def _uptime_to_pb(uptime: Uptime) -> pb.ShownUptime:
    return pb.ShownUptime(
        component_id=str(uptime.component_id),
        available_millionths=uptime.available_millionths,
        days=[_day_to_pb(day) for day in uptime.days],
    )


def _day_to_pb(day: DayUptime) -> pb.ShownDay:
    return pb.ShownDay(
        date=day.date.isoformat(),
        known=day.known,
        worst=component_status_to_pb(day.worst) if day.known else status_page_pb2.COMPONENT_STATUS_UNSPECIFIED,
        partial_seconds=day.spent.get(ComponentStatus.PARTIAL_OUTAGE, 0),
        major_seconds=day.spent.get(ComponentStatus.MAJOR_OUTAGE, 0),
        degraded_seconds=day.spent.get(ComponentStatus.DEGRADED_PERFORMANCE, 0),
        maintenance_seconds=day.spent.get(ComponentStatus.UNDER_MAINTENANCE, 0),
        incident_ids=[str(incident_id) for incident_id in day.incident_ids],
    )
