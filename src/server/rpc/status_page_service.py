"""StatusPageService: translates, calls, translates."""

from __future__ import annotations

from typing import Any

import grpc

from oncall.v1 import status_page_service_pb2 as pb
from oncall.v1 import status_page_service_pb2_grpc
from server.domain.partner_token import PartnerTokens
from server.operations import (
    change_component,
    change_maintenance,
    change_status_page,
    read_components,
    read_maintenances,
    read_status_page,
)
from server.operations.create_component import create_component
from server.operations.create_status_page import create_status_page
from server.operations.environment import Environment
from server.operations.schedule_maintenance import schedule_maintenance
from server.operations.tell_page_change import Confirmations
from server.rpc.conversion import page_request, request_key
from server.rpc.current_call import current_call
from server.rpc.maintenance_conversion import (
    maintenance_from_pb,
    maintenance_status_from_pb,
    maintenance_to_pb,
    maintenance_update_from_pb,
)
from server.rpc.status_page_conversion import (
    component_from_pb,
    component_to_pb,
    component_update_from_pb,
    report_from_pb,
    status_page_from_pb,
    status_page_to_pb,
    status_page_update_from_pb,
)

Context = grpc.aio.ServicerContext[Any, Any]


class StatusPageService(status_page_service_pb2_grpc.StatusPageServiceServicer):
    def __init__(self, env: Environment, tokens: PartnerTokens, confirmations: Confirmations) -> None:
        self._env = env
        self._tokens = tokens
        self._confirmations = confirmations

    async def CreateStatusPage(
        self, request: pb.CreateStatusPageRequest, context: Context
    ) -> pb.CreateStatusPageResponse:
        page = await create_status_page(
            self._env, current_call(), status_page_from_pb(request.status_page), request_key(request)
        )
        return pb.CreateStatusPageResponse(status_page=status_page_to_pb(page))

    async def GetStatusPage(
        self, request: pb.StatusPageServiceGetStatusPageRequest, context: Context
    ) -> pb.StatusPageServiceGetStatusPageResponse:
        page = await read_status_page.get_status_page(self._env, current_call(), request.status_page_id)
        return pb.StatusPageServiceGetStatusPageResponse(status_page=status_page_to_pb(page))

    async def ListStatusPages(self, request: pb.ListStatusPagesRequest, context: Context) -> pb.ListStatusPagesResponse:
        page = await read_status_page.list_status_pages(
            self._env, current_call(), team_id=request.team_id, request=page_request(request)
        )
        return pb.ListStatusPagesResponse(status_pages=page.map(status_page_to_pb), next_page_token=page.next_token)

    async def UpdateStatusPage(
        self, request: pb.UpdateStatusPageRequest, context: Context
    ) -> pb.UpdateStatusPageResponse:
        page = await change_status_page.update_status_page(
            self._env, current_call(), self._confirmations, status_page_update_from_pb(request)
        )
        return pb.UpdateStatusPageResponse(status_page=status_page_to_pb(page))

    async def DeleteStatusPage(
        self, request: pb.DeleteStatusPageRequest, context: Context
    ) -> pb.DeleteStatusPageResponse:
        await change_status_page.delete_status_page(
            self._env, current_call(), self._confirmations, request.status_page_id, etag=request.etag
        )
        return pb.DeleteStatusPageResponse()

    async def RotatePageToken(self, request: pb.RotatePageTokenRequest, context: Context) -> pb.RotatePageTokenResponse:
        page, token = await change_status_page.rotate_page_token(
            self._env,
            current_call(),
            self._confirmations,
            self._tokens,
            request.status_page_id,
            request_key(request),
            remove=request.remove,
        )
        return pb.RotatePageTokenResponse(status_page=status_page_to_pb(page), token=token)

    async def CreateComponent(self, request: pb.CreateComponentRequest, context: Context) -> pb.CreateComponentResponse:
        component = await create_component(
            self._env, current_call(), component_from_pb(request.component), request_key(request)
        )
        return pb.CreateComponentResponse(component=component_to_pb(component))

    async def UpdateComponent(self, request: pb.UpdateComponentRequest, context: Context) -> pb.UpdateComponentResponse:
        component = await change_component.update_component(
            self._env, current_call(), self._confirmations, component_update_from_pb(request)
        )
        return pb.UpdateComponentResponse(component=component_to_pb(component))

    async def DeleteComponent(self, request: pb.DeleteComponentRequest, context: Context) -> pb.DeleteComponentResponse:
        await change_component.delete_component(
            self._env, current_call(), self._confirmations, request.component_id, etag=request.etag
        )
        return pb.DeleteComponentResponse()

    async def ListComponents(self, request: pb.ListComponentsRequest, context: Context) -> pb.ListComponentsResponse:
        page = await read_components.list_components(
            self._env, current_call(), status_page_id=request.status_page_id, request=page_request(request)
        )
        return pb.ListComponentsResponse(components=page.map(component_to_pb), next_page_token=page.next_token)

    async def ReportComponentStatus(
        self, request: pb.ReportComponentStatusRequest, context: Context
    ) -> pb.ReportComponentStatusResponse:
        component = await change_component.report_component_status(self._env, current_call(), report_from_pb(request))
        return pb.ReportComponentStatusResponse(component=component_to_pb(component))

    async def ScheduleMaintenance(
        self, request: pb.ScheduleMaintenanceRequest, context: Context
    ) -> pb.ScheduleMaintenanceResponse:
        maintenance = await schedule_maintenance(
            self._env, current_call(), maintenance_from_pb(request), request_key(request)
        )
        return pb.ScheduleMaintenanceResponse(maintenance=maintenance_to_pb(maintenance))

    async def UpdateMaintenance(
        self, request: pb.UpdateMaintenanceRequest, context: Context
    ) -> pb.UpdateMaintenanceResponse:
        maintenance = await change_maintenance.update_maintenance(
            self._env, current_call(), maintenance_update_from_pb(request)
        )
        return pb.UpdateMaintenanceResponse(maintenance=maintenance_to_pb(maintenance))

    async def CancelMaintenance(
        self, request: pb.CancelMaintenanceRequest, context: Context
    ) -> pb.CancelMaintenanceResponse:
        maintenance = await change_maintenance.cancel_maintenance(
            self._env, current_call(), request.maintenance_id, request.message
        )
        return pb.CancelMaintenanceResponse(maintenance=maintenance_to_pb(maintenance))

    async def GetMaintenance(self, request: pb.GetMaintenanceRequest, context: Context) -> pb.GetMaintenanceResponse:
        maintenance = await read_maintenances.get_maintenance(self._env, current_call(), request.maintenance_id)
        return pb.GetMaintenanceResponse(maintenance=maintenance_to_pb(maintenance))

    async def ListMaintenances(
        self, request: pb.ListMaintenancesRequest, context: Context
    ) -> pb.ListMaintenancesResponse:
        page = await read_maintenances.list_maintenances(
            self._env,
            current_call(),
            status_page_id=request.status_page_id,
            status=maintenance_status_from_pb(request.status),
            request=page_request(request),
        )
        return pb.ListMaintenancesResponse(maintenances=page.map(maintenance_to_pb), next_page_token=page.next_token)
