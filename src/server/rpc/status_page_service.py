"""StatusPageService: translates, calls, translates."""

from __future__ import annotations

from typing import Any

import grpc

from oncall.v1 import status_page_service_pb2 as pb
from oncall.v1 import status_page_service_pb2_grpc
from server.operations import read_status_page
from server.operations.create_component import create_component
from server.operations.create_status_page import create_status_page
from server.operations.environment import Environment
from server.rpc.conversion import request_key
from server.rpc.current_call import current_call
from server.rpc.status_page_conversion import (
    component_from_pb,
    component_to_pb,
    status_page_from_pb,
    status_page_to_pb,
)

Context = grpc.aio.ServicerContext[Any, Any]


class StatusPageService(status_page_service_pb2_grpc.StatusPageServiceServicer):
    def __init__(self, env: Environment) -> None:
        self._env = env

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

    async def CreateComponent(self, request: pb.CreateComponentRequest, context: Context) -> pb.CreateComponentResponse:
        component = await create_component(
            self._env, current_call(), component_from_pb(request.component), request_key(request)
        )
        return pb.CreateComponentResponse(component=component_to_pb(component))
