"""Status pages and components between the contract and the domain."""

from __future__ import annotations

from oncall.v1 import partner_pb2, partner_service_pb2
from oncall.v1 import status_page_pb2 as pb
from server.domain.component import Component, ShownComponent
from server.domain.partner import Partner
from server.domain.status_page import Headline, ShownPage, StatusPage
from server.operations.create_component import ComponentDraft
from server.operations.create_status_page import StatusPageDraft
from server.rpc.conversion import enum_from_pb, enum_to_pb, id_to_pb, time_to_pb

VISIBILITY_PREFIX = "STATUS_PAGE_VISIBILITY_"
STATUS_PREFIX = "COMPONENT_STATUS_"
INDICATOR_PREFIX = "HEADLINE_INDICATOR_"


def status_page_from_pb(page: pb.StatusPage) -> StatusPageDraft:
    return StatusPageDraft(
        team_id=page.team_id,
        slug=page.slug,
        name=page.name,
        visibility=enum_from_pb(pb.StatusPageVisibility, VISIBILITY_PREFIX, page.visibility),
        time_zone=page.time_zone,
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
    )


def component_from_pb(component: pb.Component) -> ComponentDraft:
    return ComponentDraft(
        status_page_id=component.status_page_id,
        group_id=component.group_id,
        is_group=component.group,
        name=component.name,
        description=component.description,
        status=enum_from_pb(pb.ComponentStatus, STATUS_PREFIX, component.status),
        position=component.position,
        only_show_if_degraded=component.only_show_if_degraded,
    )


def component_to_pb(component: Component) -> pb.Component:
    content = component.content
    return pb.Component(
        id=str(component.id),
        status_page_id=str(component.status_page_id),
        group_id=id_to_pb(content.group_id),
        group=content.is_group,
        name=content.name,
        description=content.description,
        status=enum_to_pb(
            pb.ComponentStatus, STATUS_PREFIX, "UNSPECIFIED" if content.is_group else content.status.name
        ),
        position=content.position,
        only_show_if_degraded=content.only_show_if_degraded,
        etag=component.etag,
        created_at=time_to_pb(component.created_at),
        updated_at=time_to_pb(component.updated_at),
    )


def shown_page_to_pb(shown: ShownPage, partner: Partner | None) -> partner_service_pb2.GetStatusPageResponse:
    content = shown.page.content
    return partner_service_pb2.GetStatusPageResponse(
        status_page=partner_pb2.ShownStatusPage(
            id=str(shown.page.id),
            slug=content.slug,
            name=content.name,
            visibility=enum_to_pb(pb.StatusPageVisibility, VISIBILITY_PREFIX, content.visibility.name),
            time_zone=content.time_zone,
            updated_at=time_to_pb(shown.updated_at),
        ),
        headline=_headline_to_pb(shown.headline),
        components=[_shown_component_to_pb(component) for component in shown.components],
        audience=partner_pb2.Audience(partner_id=str(partner.id), partner_name=partner.content.name)
        if partner
        else partner_pb2.Audience(),
    )


def _headline_to_pb(headline: Headline) -> partner_pb2.Headline:
    return partner_pb2.Headline(
        indicator=enum_to_pb(partner_pb2.HeadlineIndicator, INDICATOR_PREFIX, headline.indicator.name),
        description=headline.description,
    )


def _shown_component_to_pb(component: ShownComponent) -> partner_pb2.ShownComponent:
    return partner_pb2.ShownComponent(
        id=str(component.id),
        group_id=id_to_pb(component.group_id),
        group=component.is_group,
        name=component.name,
        description=component.description,
        status=enum_to_pb(pb.ComponentStatus, STATUS_PREFIX, component.status.name),
        position=component.position,
        only_show_if_degraded=component.only_show_if_degraded,
        created_at=time_to_pb(component.created_at),
        updated_at=time_to_pb(component.updated_at),
    )
