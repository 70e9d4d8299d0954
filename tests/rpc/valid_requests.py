"""One valid request for every RPC, made of real things that are new each time: whoever is allowed gets OK for it.

A class for each service, with a method for each of its RPCs; a new RPC needs a new method, and a test says so.
"""
# ruff: noqa: N802 - the methods are named for the RPCs

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from oncall.v1 import (
    audit_service_pb2,
    executor_service_pb2,
    incident_pb2,
    incident_service_pb2,
    incident_service_pb2_grpc,
    secret_service_pb2,
    secret_service_pb2_grpc,
    team_pb2,
    team_service_pb2,
)
from tests.builders import a_person
from tests.rpc.valid_notification_requests import NotificationService
from tests.rpc.valid_page_requests import PartnerService, StatusPageService
from tests.rpc.valid_runbook_requests import RunbookService
from tests.rpc.valid_workflow_requests import WorkflowService
from tests.rpc.world import World, new_name


class TeamService:
    def __init__(self, world: World) -> None:
        self._world = world

    async def GetCaller(self) -> Message:
        return team_service_pb2.GetCallerRequest()

    async def CreateUser(self) -> Message:
        user = team_pb2.User(email=f"{new_name('new')}@example.org", display_name="New")
        return team_service_pb2.CreateUserRequest(user=user)

    async def ListUsers(self) -> Message:
        return team_service_pb2.ListUsersRequest()

    async def CreateTeam(self) -> Message:
        return team_service_pb2.CreateTeamRequest(team=team_pb2.Team(name=new_name("team")))

    async def ListTeams(self) -> Message:
        return team_service_pb2.ListTeamsRequest()

    async def SetMember(self) -> Message:
        somebody = await a_person(self._world.server.sessions)
        return team_service_pb2.SetMemberRequest(
            team_id=self._world.team_id, user_id=str(somebody.id), role=team_pb2.ROLE_OBSERVER
        )

    async def RemoveMember(self) -> Message:
        request: Any = await self.SetMember()
        await self._world.server.teams.SetMember(request, metadata=self._world.team.author.metadata)
        return team_service_pb2.RemoveMemberRequest(team_id=request.team_id, user_id=request.user_id)

    async def ListMembers(self) -> Message:
        return team_service_pb2.ListMembersRequest(team_id=self._world.team_id)

    async def CreateService(self) -> Message:
        service = team_pb2.Service(team_id=self._world.team_id, name=new_name("service"))
        return team_service_pb2.CreateServiceRequest(service=service)

    async def ListServices(self) -> Message:
        return team_service_pb2.ListServicesRequest(team_id=self._world.team_id)

    async def CreateApiToken(self) -> Message:
        return team_service_pb2.CreateApiTokenRequest(api_token=team_pb2.ApiToken(display_name="new"))

    async def ListApiTokens(self) -> Message:
        return team_service_pb2.ListApiTokensRequest(user_id=str(self._world.caller.id))

    async def RevokeApiToken(self) -> Message:
        """A token of the caller; of somebody who may have none, for those who are refused anyway."""
        create: Any = await self.CreateApiToken()
        create.api_token.user_id = str(self._world.caller.id)
        admin = await a_person(self._world.server.sessions, platform_admin=True)
        made = await self._world.server.teams.CreateApiToken(create, metadata=admin.metadata)
        return team_service_pb2.RevokeApiTokenRequest(api_token_id=made.api_token.id)

    async def WatchTeam(self) -> Message:
        return team_service_pb2.WatchTeamRequest(team_id=self._world.team_id)


class SecretService:
    def __init__(self, world: World) -> None:
        self._world = world

    async def PutSecret(self) -> Message:
        return secret_service_pb2.PutSecretRequest(
            team_id=self._world.team_id, name=new_name("secret").replace("-", "_"), value="do not tell anybody"
        )

    async def ListSecrets(self) -> Message:
        return secret_service_pb2.ListSecretsRequest(team_id=self._world.team_id)

    async def DeleteSecret(self) -> Message:
        put: Any = await self.PutSecret()
        stub = secret_service_pb2_grpc.SecretServiceStub(self._world.server.channel)
        await stub.PutSecret(put, metadata=self._world.team.author.metadata)
        return secret_service_pb2.DeleteSecretRequest(team_id=put.team_id, name=put.name)


class AuditService:
    def __init__(self, world: World) -> None:
        self._world = world

    async def ListAuditEvents(self) -> Message:
        return audit_service_pb2.ListAuditEventsRequest(team_id=self._world.team_id)


class ExecutorService:
    def __init__(self, world: World) -> None:
        self._world = world

    async def ListExecutors(self) -> Message:
        return executor_service_pb2.ListExecutorsRequest()


class IncidentService:
    def __init__(self, world: World) -> None:
        self._world = world

    async def CreateIncident(self) -> Message:
        incident = incident_pb2.Incident(
            team_id=self._world.team_id, title="It is slow", severity=incident_pb2.INCIDENT_SEVERITY_SEV2
        )
        return incident_service_pb2.CreateIncidentRequest(incident=incident)

    async def AddIncidentUpdate(self) -> Message:
        return incident_service_pb2.AddIncidentUpdateRequest(incident_id=await self._incident(), message="Found it.")

    async def AcknowledgeIncident(self) -> Message:
        return incident_service_pb2.AcknowledgeIncidentRequest(incident_id=await self._incident())

    async def ResolveIncident(self) -> Message:
        return incident_service_pb2.ResolveIncidentRequest(incident_id=await self._incident())

    async def GetIncident(self) -> Message:
        return incident_service_pb2.GetIncidentRequest(incident_id=await self._incident())

    async def ListIncidents(self) -> Message:
        return incident_service_pb2.ListIncidentsRequest(team_id=self._world.team_id)

    async def _incident(self) -> str:
        request: Any = await self.CreateIncident()
        stub = incident_service_pb2_grpc.IncidentServiceStub(self._world.server.channel)
        return (await stub.CreateIncident(request, metadata=self._world.team.responder.metadata)).incident.id


SERVICES: tuple[type[Any], ...] = (
    RunbookService,
    TeamService,
    SecretService,
    AuditService,
    ExecutorService,
    StatusPageService,
    IncidentService,
    NotificationService,
    PartnerService,
    WorkflowService,
)
