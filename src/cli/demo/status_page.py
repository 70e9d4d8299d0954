"""The demo's status page, its components and a partner who may read it."""

from __future__ import annotations

from collections.abc import Mapping

import grpc

from cli.demo import content
from oncall.client import Client
from oncall.errors import OncallError
from oncall.v1 import partner_pb2, partner_service_pb2, status_page_pb2, status_page_service_pb2
from oncall.v1.partner_service_pb2_grpc import PartnerServiceStub
from oncall.v1.status_page_service_pb2_grpc import StatusPageServiceStub

_MOST_PARTNERS = 100


async def open_status_page(author: Client, team_id: str, kept: Mapping[str, str]) -> dict[str, str]:
    """Answers slug, partner_id and partner_token; a kept partner who still has access is used again.

    The request ids make a repeat find what an earlier start created.
    """
    pages = StatusPageServiceStub(author.channel)
    page = status_page_pb2.StatusPage(
        team_id=team_id,
        slug=content.SLUG,
        name="Demo status",
        visibility=status_page_pb2.STATUS_PAGE_VISIBILITY_PRIVATE,
    )
    request = status_page_service_pb2.CreateStatusPageRequest(status_page=page, request_id="demo-status-page")
    page = (await pages.CreateStatusPage(request)).status_page
    for position, (name, description, status) in enumerate(content.COMPONENTS, start=1):
        component = status_page_pb2.Component(
            status_page_id=page.id, name=name, description=description, status=status, position=position
        )
        await pages.CreateComponent(
            status_page_service_pb2.CreateComponentRequest(component=component, request_id=f"demo-component-{position}")
        )
    if kept.get("slug") == page.slug and await _has_access(author, kept.get("partner_id", "")):
        return dict(kept)
    return {"slug": page.slug, **await _new_partner(author, page.id)}


async def _has_access(author: Client, partner_id: str) -> bool:
    if not partner_id:
        return False
    partners = PartnerServiceStub(author.channel)
    try:
        answer = await partners.GetPartner(partner_service_pb2.GetPartnerRequest(partner_id=partner_id))
    except OncallError as error:
        if error.code is grpc.StatusCode.NOT_FOUND:
            return False
        raise
    return answer.partner.is_active


async def _new_partner(author: Client, page_id: str) -> dict[str, str]:
    """Creates a partner of the first free name: a token is shown once, so one whose token is lost is of no use."""
    partners = PartnerServiceStub(author.channel)
    for number in range(1, _MOST_PARTNERS):
        name = content.PARTNER if number == 1 else f"{content.PARTNER} {number}"
        wanted = partner_service_pb2.CreatePartnerRequest(
            partner=partner_pb2.Partner(status_page_id=page_id, name=name)
        )
        try:
            created = await partners.CreatePartner(wanted)
        except OncallError as error:
            if error.code is grpc.StatusCode.ALREADY_EXISTS:
                continue
            raise
        return {"partner_id": created.partner.id, "partner_token": created.token}
    message = "the demo's status page has too many partners"
    raise RuntimeError(message)
