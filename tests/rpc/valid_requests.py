"""One valid request for every RPC, made of real things that are new each time: whoever is allowed gets OK for it.

A class for each service, with a method for each of its RPCs; a new RPC needs a new method, and a test says so.
"""
# ruff: noqa: N802 - the methods are named for the RPCs

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from oncall.v1 import (
    audit_service_pb2,
    executor_service_pb2,
    incident_pb2,
    incident_service_pb2,
    incident_service_pb2_grpc,
    maintenance_pb2,
    partner_pb2,
    partner_service_pb2,
    runbook_pb2,
    secret_service_pb2,
    secret_service_pb2_grpc,
    status_page_pb2,
    status_page_service_pb2,
    team_pb2,
    team_service_pb2,
)
from oncall.v1 import runbook_service_pb2 as runbooks
from tests.builders import Person, TeamWithPeople, a_draft_runbook, a_person, an_approved_runbook
from tests.rpc.conftest import RunningServer
from tests.status_pages import PUBLIC, StatusPageDesk, a_maintenance_request

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class World:
    """A team whose things are asked for; `caller` is who asks, for what is one's own."""

    server: RunningServer
    team: TeamWithPeople
    desk: StatusPageDesk
    caller: Person

    @property
    def team_id(self) -> str:
        return str(self.team.id)


def new_name(kind: str) -> str:
    return f"{kind}-{next(_numbers)}"


class RunbookService:
    def __init__(self, world: World) -> None:
        self._world = world
        self._sessions = world.server.sessions

    async def CreateRunbook(self) -> Message:
        runbook = runbook_pb2.Runbook(team_id=self._world.team_id, name=new_name("runbook"))
        return runbooks.CreateRunbookRequest(runbook=runbook, version=_version())

    async def GetRunbook(self) -> Message:
        return runbooks.GetRunbookRequest(runbook_id=await self._draft())

    async def ListRunbooks(self) -> Message:
        return runbooks.ListRunbooksRequest(team_id=self._world.team_id)

    async def UpdateRunbook(self) -> Message:
        runbook = runbook_pb2.Runbook(id=await self._draft(), name=new_name("renamed"))
        return runbooks.UpdateRunbookRequest(runbook=runbook, update_mask=FieldMask(paths=["name"]))

    async def CreateRunbookVersion(self) -> Message:
        return runbooks.CreateRunbookVersionRequest(runbook_id=await self._draft(), version=_version())

    async def GetRunbookVersion(self) -> Message:
        return runbooks.GetRunbookVersionRequest(runbook_id=await self._draft(), version=1)

    async def ListRunbookVersions(self) -> Message:
        return runbooks.ListRunbookVersionsRequest(runbook_id=await self._draft())

    async def DiffRunbookVersions(self) -> Message:
        return runbooks.DiffRunbookVersionsRequest(runbook_id=await self._draft(), from_version=1, to_version=1)

    async def RollbackRunbook(self) -> Message:
        runbook_id = await self._approved()
        request = runbooks.CreateRunbookVersionRequest(runbook_id=runbook_id, version=_version())
        stub, team = self._world.server.runbooks, self._world.team
        version = (await stub.CreateRunbookVersion(request, metadata=team.author.metadata)).version
        await self._submit(runbook_id)
        approve = runbooks.ApproveRunbookRequest(runbook_id=runbook_id, version=2, digest=version.digest)
        await stub.ApproveRunbook(approve, metadata=team.reviewer.metadata)
        return runbooks.RollbackRunbookRequest(runbook_id=runbook_id, version=1)

    async def SubmitRunbookForReview(self) -> Message:
        return runbooks.SubmitRunbookForReviewRequest(runbook_id=await self._draft())

    async def ApproveRunbook(self) -> Message:
        runbook_id, digest = await self._submitted()
        return runbooks.ApproveRunbookRequest(runbook_id=runbook_id, version=1, digest=digest)

    async def RejectRunbook(self) -> Message:
        runbook_id, digest = await self._submitted()
        return runbooks.RejectRunbookRequest(runbook_id=runbook_id, version=1, digest=digest, comment="no")

    async def WithdrawRunbook(self) -> Message:
        runbook_id, _ = await self._submitted()
        return runbooks.WithdrawRunbookRequest(runbook_id=runbook_id)

    async def DeprecateRunbook(self) -> Message:
        return runbooks.DeprecateRunbookRequest(runbook_id=await self._approved())

    async def ArchiveRunbook(self) -> Message:
        return runbooks.ArchiveRunbookRequest(runbook_id=await self._approved())

    async def RestoreRunbook(self) -> Message:
        archive = runbooks.ArchiveRunbookRequest(runbook_id=await self._approved())
        await self._world.server.runbooks.ArchiveRunbook(archive, metadata=self._world.team.author.metadata)
        return runbooks.RestoreRunbookRequest(runbook_id=archive.runbook_id)

    async def Execute(self) -> Message:
        return runbooks.ExecuteRequest(runbook_id=await self._approved())

    async def WatchExecution(self) -> Message:
        return runbooks.WatchExecutionRequest(execution_id=await self._execution())

    async def GetExecution(self) -> Message:
        return runbooks.GetExecutionRequest(execution_id=await self._execution())

    async def ListExecutions(self) -> Message:
        return runbooks.ListExecutionsRequest(team_id=self._world.team_id)

    async def CancelExecution(self) -> Message:
        return runbooks.CancelExecutionRequest(execution_id=await self._execution())

    async def _draft(self) -> str:
        return str((await a_draft_runbook(self._sessions, self._world.team)).id)

    async def _approved(self) -> str:
        return str((await an_approved_runbook(self._sessions, self._world.team)).id)

    async def _submitted(self) -> tuple[str, str]:
        runbook_id = await self._draft()
        return runbook_id, await self._submit(runbook_id)

    async def _submit(self, runbook_id: str) -> str:
        request = runbooks.SubmitRunbookForReviewRequest(runbook_id=runbook_id)
        stub = self._world.server.runbooks
        submitted = await stub.SubmitRunbookForReview(request, metadata=self._world.team.author.metadata)
        return submitted.version.digest

    async def _execution(self) -> str:
        request = runbooks.ExecuteRequest(runbook_id=await self._approved())
        stream = self._world.server.runbooks.Execute(request, metadata=self._world.team.responder.metadata)
        first = await anext(aiter(stream))
        stream.cancel()
        return first.event.execution.id


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


SERVICES: tuple[type[Any], ...] = (
    RunbookService,
    TeamService,
    SecretService,
    AuditService,
    ExecutorService,
    StatusPageService,
    IncidentService,
    PartnerService,
)


def _version() -> runbook_pb2.RunbookVersion:
    return runbook_pb2.RunbookVersion(script="echo hello", language=runbook_pb2.SCRIPT_LANGUAGE_BASH)
