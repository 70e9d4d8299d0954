"""Who may call what: one table with a row for every RPC. What has no row is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from uuid import UUID

from kernel.errors import NotFound, PermissionDenied


class Role(IntEnum):
    """What a user may do in a team; each includes those before it."""

    OBSERVER = 1
    RESPONDER = 2
    TEAM_ADMIN = 3


class Kind(Enum):
    ANONYMOUS = "anybody, without a credential"
    AUTHENTICATED = "any user; the operation shows each only what is theirs"
    PLATFORM_ADMIN = "platform admins"
    TEAM = "members of the team, from a role upwards, and platform admins"
    SERVICE_ACCOUNT = "one service account and nobody else"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: who may call."""

    kind: Kind
    role: Role | None = None
    account: str = ""
    """The service account that is let in: alone, or besides the members of a team."""
    also_accounts: bool = False
    """Whether service accounts are let in besides."""


ANONYMOUS = Rule(Kind.ANONYMOUS)
AUTHENTICATED = Rule(Kind.AUTHENTICATED)
PLATFORM_ADMIN = Rule(Kind.PLATFORM_ADMIN)
OBSERVER = Rule(Kind.TEAM, Role.OBSERVER)
RESPONDER = Rule(Kind.TEAM, Role.RESPONDER)
TEAM_ADMIN = Rule(Kind.TEAM, Role.TEAM_ADMIN)
EVERY_CALLER = Rule(Kind.AUTHENTICATED, also_accounts=True)
GATEWAY = Rule(Kind.SERVICE_ACCOUNT, account="gateway")
OBSERVER_OR_GATEWAY = Rule(Kind.TEAM, Role.OBSERVER, account="gateway")

SERVICE_ACCOUNTS = frozenset({"gateway"})

RULES: Mapping[str, Rule] = {
    "RunbookService/CreateRunbook": TEAM_ADMIN,
    "RunbookService/GetRunbook": OBSERVER,
    "RunbookService/ListRunbooks": OBSERVER,
    "RunbookService/UpdateRunbook": TEAM_ADMIN,
    "RunbookService/CreateRunbookVersion": TEAM_ADMIN,
    "RunbookService/GetRunbookVersion": OBSERVER,
    "RunbookService/ListRunbookVersions": OBSERVER,
    "RunbookService/DiffRunbookVersions": OBSERVER,
    "RunbookService/RollbackRunbook": TEAM_ADMIN,
    "RunbookService/SubmitRunbookForReview": TEAM_ADMIN,
    "RunbookService/ApproveRunbook": TEAM_ADMIN,
    "RunbookService/RejectRunbook": TEAM_ADMIN,
    "RunbookService/WithdrawRunbook": TEAM_ADMIN,
    "RunbookService/DeprecateRunbook": TEAM_ADMIN,
    "RunbookService/ArchiveRunbook": TEAM_ADMIN,
    "RunbookService/RestoreRunbook": TEAM_ADMIN,
    "RunbookService/Execute": RESPONDER,
    "RunbookService/WatchExecution": OBSERVER,
    "RunbookService/GetExecution": OBSERVER,
    "RunbookService/ListExecutions": OBSERVER,
    "RunbookService/CancelExecution": RESPONDER,
    "TeamService/GetCaller": EVERY_CALLER,
    "TeamService/CreateUser": PLATFORM_ADMIN,
    "TeamService/ListUsers": PLATFORM_ADMIN,
    "TeamService/CreateTeam": PLATFORM_ADMIN,
    "TeamService/ListTeams": AUTHENTICATED,
    "TeamService/SetMember": TEAM_ADMIN,
    "TeamService/RemoveMember": TEAM_ADMIN,
    "TeamService/ListMembers": OBSERVER,
    "TeamService/CreateService": TEAM_ADMIN,
    "TeamService/ListServices": OBSERVER,
    "TeamService/CreateApiToken": AUTHENTICATED,
    "TeamService/ListApiTokens": AUTHENTICATED,
    "TeamService/RevokeApiToken": AUTHENTICATED,
    "TeamService/WatchTeam": OBSERVER,
    "SecretService/PutSecret": TEAM_ADMIN,
    "SecretService/ListSecrets": OBSERVER,
    "SecretService/DeleteSecret": TEAM_ADMIN,
    "AuditService/ListAuditEvents": TEAM_ADMIN,
    # Executors serve all teams, and whoever waits for one must see why; machine names tell colleagues nothing they may
    # not know, and no script runs any the easier for them.
    "ExecutorService/ListExecutors": AUTHENTICATED,
    "StatusPageService/CreateStatusPage": TEAM_ADMIN,
    "StatusPageService/GetStatusPage": OBSERVER,
    "StatusPageService/ListStatusPages": OBSERVER,
    "StatusPageService/UpdateStatusPage": TEAM_ADMIN,
    "StatusPageService/DeleteStatusPage": TEAM_ADMIN,
    "StatusPageService/RotatePageToken": TEAM_ADMIN,
    "StatusPageService/CreateComponent": TEAM_ADMIN,
    "StatusPageService/UpdateComponent": TEAM_ADMIN,
    "StatusPageService/DeleteComponent": TEAM_ADMIN,
    "StatusPageService/ListComponents": OBSERVER,
    "StatusPageService/ReportComponentStatus": RESPONDER,
    "StatusPageService/ScheduleMaintenance": RESPONDER,
    "StatusPageService/UpdateMaintenance": RESPONDER,
    "StatusPageService/CancelMaintenance": RESPONDER,
    "StatusPageService/GetMaintenance": OBSERVER,
    "StatusPageService/ListMaintenances": OBSERVER,
    "IncidentService/CreateIncident": RESPONDER,
    "IncidentService/AddIncidentUpdate": RESPONDER,
    "IncidentService/AcknowledgeIncident": RESPONDER,
    "IncidentService/ResolveIncident": RESPONDER,
    "IncidentService/GetIncident": RESPONDER,
    "IncidentService/ListIncidents": RESPONDER,
    "WorkflowService/CreateWorkflow": TEAM_ADMIN,
    "WorkflowService/GetWorkflow": OBSERVER,
    "WorkflowService/ListWorkflows": OBSERVER,
    "WorkflowService/UpdateWorkflow": TEAM_ADMIN,
    "WorkflowService/DeleteWorkflow": TEAM_ADMIN,
    "WorkflowService/RunWorkflow": RESPONDER,
    "WorkflowService/GetWorkflowRun": OBSERVER,
    "WorkflowService/ListWorkflowRuns": OBSERVER,
    "WorkflowService/WatchWorkflowRun": OBSERVER,
    "WorkflowService/CancelWorkflowRun": RESPONDER,
    "WorkflowService/DecideApproval": RESPONDER,
    "NotificationService/CreateNotificationChannel": TEAM_ADMIN,
    "NotificationService/GetNotificationChannel": OBSERVER,
    "NotificationService/ListNotificationChannels": OBSERVER,
    "NotificationService/UpdateNotificationChannel": TEAM_ADMIN,
    "NotificationService/DeleteNotificationChannel": TEAM_ADMIN,
    "NotificationService/RotateSigningSecret": TEAM_ADMIN,
    "NotificationService/TestNotificationChannel": TEAM_ADMIN,
    "NotificationService/ListDeliveries": OBSERVER,
    "NotificationService/RetryDelivery": RESPONDER,
    "PartnerService/CreatePartner": TEAM_ADMIN,
    "PartnerService/GetPartner": OBSERVER,
    "PartnerService/RevokePartner": TEAM_ADMIN,
    "PartnerService/GetStatusPage": GATEWAY,
    "PartnerService/GetStatusPagePreview": OBSERVER,
    "PartnerService/ListPartners": OBSERVER,
    "PartnerService/UpdatePartner": TEAM_ADMIN,
    "PartnerService/RotatePartnerToken": TEAM_ADMIN,
    "PartnerService/ListPartnerSessions": OBSERVER,
    "PartnerService/ListPartnerAccess": OBSERVER_OR_GATEWAY,
    "PartnerService/CreatePageSession": GATEWAY,
    "PartnerService/EndPageSession": GATEWAY,
    "PartnerService/WatchStatusPages": GATEWAY,
    "PartnerService/RenewStatusPageWatch": GATEWAY,
    "PartnerService/RecordPartnerAccesses": GATEWAY,
    "grpc.health.v1.Health/Check": ANONYMOUS,
    "grpc.health.v1.Health/List": ANONYMOUS,
    "grpc.health.v1.Health/Watch": ANONYMOUS,
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": ANONYMOUS,
}


def method_key(path: str) -> str:
    """Answers the table's key of a gRPC path: `/oncall.v1.TeamService/GetCaller` is `TeamService/GetCaller`."""
    return path.removeprefix("/").removeprefix("oncall.v1.")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as read from the database for this call: never older than the request."""

    user_id: UUID
    is_platform_admin: bool = False
    service_account: str = ""
    roles: Mapping[UUID, Role] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One RPC of one caller: what the permission table is asked about."""

    method: str
    caller: Caller
    peer: str = ""
    """From which address, as the server saw it."""
    request_id: str = ""
    """What the caller calls it, if anything; not checked."""

    def admit(self) -> None:
        """Refuses whoever may not call this RPC at all, whatever the team."""
        rule = RULES.get(self.method)
        if rule is None:
            raise PermissionDenied("this RPC is open to nobody", reason="NO_RULE")
        account = self.caller.service_account
        if rule.kind is Kind.SERVICE_ACCOUNT:
            admitted = account == rule.account
        elif account:
            admitted = rule.also_accounts or account == rule.account
        else:
            admitted = rule.kind is not Kind.PLATFORM_ADMIN or self.caller.is_platform_admin
        if not admitted:
            whose = rule.account if rule.kind is Kind.SERVICE_ACCOUNT else rule.kind.value
            raise PermissionDenied(f"this RPC is for {whose}")

    def require(self, team_id: UUID, what: str) -> None:
        """Refuses callers without the table's role in `team_id`; outsiders hear only that there is no such `what`."""
        rule = RULES[self.method]
        if rule.role is None:
            raise ValueError(f"{self.method} has no team role in the permission table")
        role = self.role_in(team_id)
        if role is None:
            raise not_found(what)
        if role < rule.role:
            raise PermissionDenied(
                f"this needs the role {rule.role.name} in the team; yours is {role.name}",
                metadata={"required_role": rule.role.name, "role": role.name},
                team_id=team_id,
            )

    def role_in(self, team_id: UUID) -> Role | None:
        """Answers the caller's role; a platform admin counts as TEAM_ADMIN everywhere."""
        return Role.TEAM_ADMIN if self.caller.is_platform_admin else self.caller.roles.get(team_id)

    def visible_teams(self) -> frozenset[UUID] | None:
        """Answers the teams whose things the caller may read; None: all of them."""
        return None if self.caller.is_platform_admin else frozenset(self.caller.roles)


def not_found(what: str) -> NotFound:
    """The one answer for what does not exist and for what the caller may not see."""
    return NotFound(f"there is no such {what}, or you may not see it", metadata={"resource": what})
