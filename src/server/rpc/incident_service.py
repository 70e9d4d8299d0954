"""IncidentService: translates, calls, translates."""

from __future__ import annotations

from typing import Any

import grpc

from oncall.v1 import incident_service_pb2 as pb
from oncall.v1 import incident_service_pb2_grpc
from server.operations import read_incidents, update_incident
from server.operations.announce import Announcer
from server.operations.create_incident import create_incident
from server.operations.environment import Environment
from server.rpc.conversion import page_request, request_key
from server.rpc.current_call import current_call
from server.rpc.incident_conversion import incident_from_pb, incident_to_pb, query_from_pb, update_from_pb

Context = grpc.aio.ServicerContext[Any, Any]


class IncidentService(incident_service_pb2_grpc.IncidentServiceServicer):
    def __init__(self, env: Environment, announcer: Announcer) -> None:
        self._env = env
        self._announcer = announcer

    async def CreateIncident(self, request: pb.CreateIncidentRequest, context: Context) -> pb.CreateIncidentResponse:
        incident = await create_incident(
            self._env, current_call(), self._announcer, incident_from_pb(request), request_key(request)
        )
        return pb.CreateIncidentResponse(incident=incident_to_pb(incident))

    async def AddIncidentUpdate(
        self, request: pb.AddIncidentUpdateRequest, context: Context
    ) -> pb.AddIncidentUpdateResponse:
        incident = await update_incident.add_incident_update(
            self._env, current_call(), self._announcer, update_from_pb(request), request_key(request)
        )
        return pb.AddIncidentUpdateResponse(incident=incident_to_pb(incident))

    async def AcknowledgeIncident(
        self, request: pb.AcknowledgeIncidentRequest, context: Context
    ) -> pb.AcknowledgeIncidentResponse:
        incident = await update_incident.acknowledge_incident(
            self._env, current_call(), self._announcer, request.incident_id
        )
        return pb.AcknowledgeIncidentResponse(incident=incident_to_pb(incident))

    async def ResolveIncident(self, request: pb.ResolveIncidentRequest, context: Context) -> pb.ResolveIncidentResponse:
        incident = await update_incident.resolve_incident(
            self._env, current_call(), self._announcer, request.incident_id, request.message
        )
        return pb.ResolveIncidentResponse(incident=incident_to_pb(incident))

    async def GetIncident(self, request: pb.GetIncidentRequest, context: Context) -> pb.GetIncidentResponse:
        incident = await read_incidents.get_incident(self._env, current_call(), request.incident_id)
        return pb.GetIncidentResponse(incident=incident_to_pb(incident))

    async def ListIncidents(self, request: pb.ListIncidentsRequest, context: Context) -> pb.ListIncidentsResponse:
        page = await read_incidents.list_incidents(
            self._env, current_call(), query_from_pb(request), page_request(request)
        )
        return pb.ListIncidentsResponse(incidents=page.map(incident_to_pb), next_page_token=page.next_token)
