"""The demo's status page and its components: found where they are, created where they are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cli.demo import content
from cli.demo.listing import every
from oncall.client import Client
from oncall.v1 import status_page_service_pb2 as rpc
from oncall.v1 import status_page_service_pb2_grpc
from oncall.v1.status_page_pb2 import STATUS_PAGE_VISIBILITY_PRIVATE, Component, StatusPage


@dataclass(frozen=True, slots=True)
class DemoPage:
    """The page, and the ids of its components by name."""

    page: StatusPage
    components: Mapping[str, str]


async def open_status_page(author: Client, team_id: str) -> DemoPage:
    """Answers the page with all its components, making what is missing of it."""
    pages = status_page_service_pb2_grpc.StatusPageServiceStub(author.channel)
    page = await _page(pages, team_id)
    listed = every(pages.ListComponents, rpc.ListComponentsRequest(status_page_id=page.id), "components")
    ids = {component.name: component.id async for component in listed}
    for position, demo in enumerate(content.COMPONENTS, start=1):
        if demo.name not in ids:
            component = Component(
                status_page_id=page.id,
                name=demo.name,
                description=demo.description,
                group=demo.is_group,
                group_id=ids[demo.group] if demo.group else "",
                position=position,
            )
            created = await pages.CreateComponent(rpc.CreateComponentRequest(component=component))
            ids[demo.name] = created.component.id
    return DemoPage(page, ids)


async def _page(pages: status_page_service_pb2_grpc.StatusPageServiceAsyncStub, team_id: str) -> StatusPage:
    async for page in every(pages.ListStatusPages, rpc.ListStatusPagesRequest(team_id=team_id), "status_pages"):
        if page.slug == content.SLUG:
            found: StatusPage = page
            return found
    wanted = StatusPage(
        team_id=team_id, slug=content.SLUG, name="Demo status", visibility=STATUS_PAGE_VISIBILITY_PRIVATE
    )
    return (await pages.CreateStatusPage(rpc.CreateStatusPageRequest(status_page=wanted))).status_page
