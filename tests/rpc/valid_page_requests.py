"""A valid request for every RPC of StatusPageService and PartnerService; see `valid_requests`."""
# ruff: noqa: N802 - the methods are named for the RPCs

from __future__ import annotations

from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from oncall.v1 import (
    maintenance_pb2,
    partner_pb2,
    partner_service_pb2,
    status_page_pb2,
    status_page_service_pb2,
)
from tests.rpc.world import World, new_name
from tests.status_pages import PUBLIC, a_maintenance_request


class StatusPageService:
    def __init__(self, world: World) -> None:
        self._world = world

    async def CreateStatusPage(self) -> Message:
        page = status_page_pb2.StatusPage(
            team_id=self._world.team_id, slug=new_name("slug"), name="Acme", visibility=PUBLIC
        )
        return status_page_service_pb2.CreateStatusPageRequest(status_page=page)

    async def GetStatusPage(self) -> Message:
        page = await self._world.desk.a_page()
        return status_page_service_pb2.StatusPageServiceGetStatusPageRequest(status_page_id=page.id)

    async def CreateComponent(self) -> Message:
        page = await self._world.desk.a_page()
        component = status_page_pb2.Component(status_page_id=page.id, name="API")
        return status_page_service_pb2.CreateComponentRequest(component=component)

    async def ListStatusPages(self) -> Message:
        return status_page_service_pb2.ListStatusPagesRequest(team_id=self._world.team_id)

    async def UpdateStatusPage(self) -> Message:
        page = status_page_pb2.StatusPage(id=(await self._world.desk.a_page()).id, name=new_name("renamed"))
        return status_page_service_pb2.UpdateStatusPageRequest(status_page=page, update_mask=FieldMask(paths=["name"]))

    async def DeleteStatusPage(self) -> Message:
        return status_page_service_pb2.DeleteStatusPageRequest(status_page_id=(await self._world.desk.a_page()).id)

    async def RotatePageToken(self) -> Message:
        return status_page_service_pb2.RotatePageTokenRequest(status_page_id=(await self._world.desk.a_page()).id)

    async def UpdateComponent(self) -> Message:
        component = status_page_pb2.Component(id=await self._component(), name=new_name("renamed"))
        return status_page_service_pb2.UpdateComponentRequest(
            component=component, update_mask=FieldMask(paths=["name"])
        )

    async def DeleteComponent(self) -> Message:
        return status_page_service_pb2.DeleteComponentRequest(component_id=await self._component())

    async def ListComponents(self) -> Message:
        return status_page_service_pb2.ListComponentsRequest(status_page_id=(await self._world.desk.a_page()).id)

    async def ReportComponentStatus(self) -> Message:
        return status_page_service_pb2.ReportComponentStatusRequest(
            component_id=await self._component(),
            status=status_page_pb2.COMPONENT_STATUS_PARTIAL_OUTAGE,
            expires_after=Duration(seconds=60),
        )

    async def ScheduleMaintenance(self) -> Message:
        page = await self._world.desk.a_page()
        component = await self._world.desk.a_component(page, "API")
        return a_maintenance_request(page.id, component.id)

    async def UpdateMaintenance(self) -> Message:
        maintenance = maintenance_pb2.Maintenance(id=await self._maintenance())
        return status_page_service_pb2.UpdateMaintenanceRequest(maintenance=maintenance, message="On our way.")

    async def CancelMaintenance(self) -> Message:
        return status_page_service_pb2.CancelMaintenanceRequest(maintenance_id=await self._maintenance())

    async def GetMaintenance(self) -> Message:
        return status_page_service_pb2.GetMaintenanceRequest(maintenance_id=await self._maintenance())

    async def ListMaintenances(self) -> Message:
        return status_page_service_pb2.ListMaintenancesRequest(status_page_id=(await self._world.desk.a_page()).id)

    async def _component(self) -> str:
        return (await self._world.desk.a_component(await self._world.desk.a_page(), "API")).id

    async def _maintenance(self) -> str:
        request: Any = await self.ScheduleMaintenance()
        stub, author = self._world.desk.pages, self._world.team.author
        return (await stub.ScheduleMaintenance(request, metadata=author.metadata)).maintenance.id


class PartnerService:
    def __init__(self, world: World) -> None:
        self._world = world

    async def CreatePartner(self) -> Message:
        page = await self._world.desk.a_page()
        partner = partner_pb2.Partner(status_page_id=page.id, name=new_name("partner"))
        return partner_service_pb2.CreatePartnerRequest(partner=partner)

    async def GetPartner(self) -> Message:
        return partner_service_pb2.GetPartnerRequest(partner_id=await self._partner())

    async def RevokePartner(self) -> Message:
        return partner_service_pb2.RevokePartnerRequest(partner_id=await self._partner())

    async def GetStatusPage(self) -> Message:
        page = await self._world.desk.a_page(PUBLIC)
        return partner_service_pb2.GetStatusPageRequest(slug=page.slug, client_ip="192.0.2.7")

    async def GetStatusPagePreview(self) -> Message:
        page = await self._world.desk.a_page()
        partner = await self._world.desk.a_partner(page)
        return partner_service_pb2.GetStatusPagePreviewRequest(status_page_id=page.id, partner_id=partner.id)

    async def ListPartners(self) -> Message:
        return partner_service_pb2.ListPartnersRequest(status_page_id=(await self._world.desk.a_page()).id)

    async def UpdatePartner(self) -> Message:
        partner = partner_pb2.Partner(id=await self._partner(), name=new_name("renamed"))
        return partner_service_pb2.UpdatePartnerRequest(partner=partner, update_mask=FieldMask(paths=["name"]))

    async def RotatePartnerToken(self) -> Message:
        return partner_service_pb2.RotatePartnerTokenRequest(partner_id=await self._partner())

    async def ListPartnerSessions(self) -> Message:
        return partner_service_pb2.ListPartnerSessionsRequest(partner_id=await self._partner())

    async def ListPartnerAccess(self) -> Message:
        """The gateway asks with a partner's token, everybody else by id."""
        if self._world.caller.id != self._world.desk.gateway.id:
            return partner_service_pb2.ListPartnerAccessRequest(partner_id=await self._partner())
        page = await self._world.desk.a_page()
        token = (await self._world.desk.a_partner(page)).token
        asked = partner_service_pb2.GetStatusPageRequest(slug=page.slug, client_ip="192.0.2.7", partner_token=token)
        return partner_service_pb2.ListPartnerAccessRequest(asked=asked)

    async def CreatePageSession(self) -> Message:
        page = await self._world.desk.a_page()
        token = (await self._world.desk.a_partner(page)).token
        return partner_service_pb2.CreatePageSessionRequest(slug=page.slug, token=token, client_ip="192.0.2.7")

    async def EndPageSession(self) -> Message:
        request: Any = await self.CreatePageSession()
        call = self._world.desk.partners.CreatePageSession(request, metadata=self._world.desk.gateway.metadata)
        return partner_service_pb2.EndPageSessionRequest(session_token=(await call).session_token)

    async def WatchStatusPages(self) -> Message:
        return partner_service_pb2.WatchStatusPagesRequest(watch_id=new_name("a-gateway-process"))

    async def RenewStatusPageWatch(self) -> Message:
        watch_id = new_name("a-gateway-process")
        stub, metadata = self._world.desk.partners, self._world.desk.gateway.metadata
        stream = stub.WatchStatusPages(
            partner_service_pb2.WatchStatusPagesRequest(watch_id=watch_id), metadata=metadata
        )
        await anext(aiter(stream))
        stream.cancel()
        return partner_service_pb2.RenewStatusPageWatchRequest(watch_id=watch_id)

    async def RecordPartnerAccesses(self) -> Message:
        return partner_service_pb2.RecordPartnerAccessesRequest(request_id=new_name("batch"))

    async def _partner(self) -> str:
        return (await self._world.desk.a_partner(await self._world.desk.a_page())).id
