"""Status pages and components between the contract and the domain."""

from __future__ import annotations

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from oncall.v1 import status_page_pb2 as pb
from oncall.v1 import status_page_service_pb2
from server.domain.component import ComponentReport
from server.domain.status_page import StatusPage
from server.operations.change_component import ComponentUpdate, ReportDraft
from server.operations.change_status_page import StatusPageUpdate
from server.operations.create_component import ComponentDraft
from server.operations.create_status_page import StatusPageDraft
from server.operations.read_components import ComponentNow
from server.rpc.conversion import enum_from_pb, enum_to_pb, id_to_pb, time_to_pb
from server.rpc.incident_conversion import component_status_from_pb, component_status_to_pb

VISIBILITY_PREFIX = "STATUS_PAGE_VISIBILITY_"


def status_page_from_pb(page: pb.StatusPage) -> StatusPageDraft:
    return StatusPageDraft(
        team_id=page.team_id,
        slug=page.slug,
        name=page.name,
        visibility=enum_from_pb(pb.StatusPageVisibility, VISIBILITY_PREFIX, page.visibility),
        time_zone=page.time_zone,
        logo_url=page.logo_url,
        accent_color=page.accent_color,
        support_url=page.support_url,
    )


def status_page_to_pb(page: StatusPage) -> pb.StatusPage:
    return pb.StatusPage(
        id=str(page.id),
        team_id=str(page.team_id),
        slug=page.content.slug,
        name=page.content.name,
        visibility=enum_to_pb(pb.StatusPageVisibility, VISIBILITY_PREFIX, page.content.visibility.name),
        time_zone=page.content.time_zone,
        etag=page.etag,
        created_by=str(page.created_by),
        created_at=time_to_pb(page.created_at),
        updated_at=time_to_pb(page.updated_at),
        logo_url=page.content.logo_url,
        accent_color=page.content.accent_color,
        support_url=page.content.support_url,
        has_page_token=page.token_hash is not None,
    )


def status_page_update_from_pb(request: status_page_service_pb2.UpdateStatusPageRequest) -> StatusPageUpdate:
    page = request.status_page
    values = {
        "slug": page.slug,
        "name": page.name,
        "visibility": enum_from_pb(pb.StatusPageVisibility, VISIBILITY_PREFIX, page.visibility),
        "time_zone": page.time_zone,
        "logo_url": page.logo_url,
        "accent_color": page.accent_color,
        "support_url": page.support_url,
    }
    return StatusPageUpdate(page.id, values, page.etag, list(request.update_mask.paths))


def component_from_pb(component: pb.Component) -> ComponentDraft:
    return ComponentDraft(
        status_page_id=component.status_page_id,
        group_id=component.group_id,
        is_group=component.group,
        name=component.name,
        description=component.description,
        status=component_status_from_pb(component.status),
        position=component.position,
        only_show_if_degraded=component.only_show_if_degraded,
    )


def component_update_from_pb(request: status_page_service_pb2.UpdateComponentRequest) -> ComponentUpdate:
    component = request.component
    return ComponentUpdate(
        component_id=component.id,
        group_id=component.group_id,
        name=component.name,
        description=component.description,
        status=component_status_from_pb(component.status),
        position=component.position,
        only_show_if_degraded=component.only_show_if_degraded,
        etag=component.etag,
        paths=list(request.update_mask.paths),
    )


def report_from_pb(request: status_page_service_pb2.ReportComponentStatusRequest) -> ReportDraft:
    return ReportDraft(
        component_id=request.component_id,
        status=component_status_from_pb(request.status),
        expires_after=_duration(request.expires_after) if request.HasField("expires_after") else None,
        status_when_silent=component_status_from_pb(request.status_when_silent),
    )


def component_to_pb(now: ComponentNow) -> pb.Component:
    component, content = now.component, now.component.content
    return pb.Component(
        id=str(component.id),
        status_page_id=str(component.status_page_id),
        group_id=id_to_pb(content.group_id),
        group=content.is_group,
        name=content.name,
        description=content.description,
        status=pb.COMPONENT_STATUS_UNSPECIFIED if content.is_group else component_status_to_pb(content.status),
        position=content.position,
        only_show_if_degraded=content.only_show_if_degraded,
        etag=component.etag,
        created_at=time_to_pb(component.created_at),
        updated_at=time_to_pb(component.updated_at),
        shown_status=component_status_to_pb(now.shown_status),
        report=_report_to_pb(component.report) if component.report else None,
    )


def _report_to_pb(report: ComponentReport) -> pb.ComponentReport:
    return pb.ComponentReport(
        status=component_status_to_pb(report.status),
        reported_at=time_to_pb(report.reported_at),
        expires_at=time_to_pb(report.expires_at),
        status_when_silent=component_status_to_pb(report.status_when_silent),
    )


def _duration(sent: Duration) -> timedelta | None:
    """Answers the duration; None for one that nothing lasts."""
    try:
        return sent.ToTimedelta()
    except (ValueError, OverflowError):
        return None
