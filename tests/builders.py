"""People, teams, tokens and runbooks for tests that need a running server's world, put in place without the server."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from kernel.database import Sessions, transaction
from kernel.execution.content import ScriptLanguage, VersionContent
from kernel.ids import new_id
from server.domain import token as tokens
from server.domain.permission import Role
from server.domain.runbook import Runbook, RunbookStatus
from server.domain.team import ApiToken, Team, User
from server.domain.version import Review, ReviewStatus, Version
from server.domain.workflow.definition import ApprovalWork, Definition, Node, Trigger
from server.domain.workflow.definition import Event as WorkflowEvent
from server.domain.workflow.record import Awaits, NodeRun, WorkflowRun
from server.domain.workflow.run import NodeState, NodeStatus
from server.domain.workflow.workflow import Workflow
from server.storage import api_tokens, runbooks, teams, users, versions

MASTER_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Person:
    """A user and a token to call with."""

    id: UUID
    token: str = field(repr=False)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.token}"),)


@dataclass(frozen=True, slots=True)
class TeamWithPeople:
    """A team with two admins, a responder and an observer."""

    id: UUID
    author: Person
    reviewer: Person
    responder: Person
    observer: Person


async def a_person(sessions: Sessions, *, platform_admin: bool = False, service_account: str = "") -> Person:
    number, at = next(_numbers), _now()
    user = User(new_id(), f"person{number}@example.org", f"Person {number}", platform_admin, service_account, at)
    async with transaction(sessions) as tx:
        await users.add(tx.session, user)
    return Person(user.id, await a_token(sessions, user.id))


async def a_token(
    sessions: Sessions, user_id: UUID, *, expires_at: datetime | None = None, revoked_at: datetime | None = None
) -> str:
    """Answers a token that counts as just used, so that calls with it change nothing."""
    issued, at = tokens.issue(secrets.token_bytes), _now()
    record = ApiToken(new_id(), user_id, "test", issued.prefix, at, expires_at, at, revoked_at)
    async with transaction(sessions) as tx:
        await api_tokens.add(tx.session, record, issued.secret_hash)
    return issued.token


async def a_team(sessions: Sessions) -> TeamWithPeople:
    team = Team(new_id(), f"team {next(_numbers)}", _now())
    async with transaction(sessions) as tx:
        await teams.add(tx.session, team)
    return TeamWithPeople(
        team.id,
        author=await a_member(sessions, team.id, Role.TEAM_ADMIN),
        reviewer=await a_member(sessions, team.id, Role.TEAM_ADMIN),
        responder=await a_member(sessions, team.id, Role.RESPONDER),
        observer=await a_member(sessions, team.id, Role.OBSERVER),
    )


async def a_member(sessions: Sessions, team_id: UUID, role: Role) -> Person:
    person = await a_person(sessions)
    async with transaction(sessions) as tx:
        await teams.set_member(tx.session, team_id, person.id, role)
    return person


async def an_approved_runbook(
    sessions: Sessions, team: TeamWithPeople, content: VersionContent | None = None, *, name: str = ""
) -> Runbook:
    """A runbook of which version 1 was written by the author and approved by the reviewer."""
    return await _a_runbook(sessions, team, content, name, Review(ReviewStatus.APPROVED, reviewed_by=team.reviewer.id))


async def a_draft_runbook(
    sessions: Sessions, team: TeamWithPeople, content: VersionContent | None = None, *, name: str = ""
) -> Runbook:
    return await _a_runbook(sessions, team, content, name, Review())


async def a_runbook_in_review(
    sessions: Sessions, team: TeamWithPeople, content: VersionContent | None = None, *, name: str = ""
) -> Runbook:
    """A runbook of which version 1 was written and submitted by the author."""
    review = Review(ReviewStatus.PENDING_REVIEW, submitted_by=team.author.id, submitted_at=_now())
    return await _a_runbook(sessions, team, content, name, review)


async def _a_runbook(
    sessions: Sessions, team: TeamWithPeople, content: VersionContent | None, name: str, review: Review
) -> Runbook:
    content = content or VersionContent("echo hello\n", ScriptLanguage.BASH)
    approved = review.status is ReviewStatus.APPROVED
    at = _now()
    runbook = Runbook(
        id=new_id(),
        team_id=team.id,
        service_id=None,
        name=name or f"runbook-{next(_numbers)}",
        description="",
        status=RunbookStatus[review.status.name],
        current_version=1 if approved else None,
        latest_version=1,
        revision=1,
        created_by=team.author.id,
        created_at=at,
        updated_at=at,
    )
    version = Version(runbook.id, 1, content, content.digest(), "", team.author.id, at, review)
    async with transaction(sessions) as tx:
        await runbooks.add(tx.session, runbook)
        await versions.add(tx.session, version)
    return runbook


def a_workflow(team: TeamWithPeople) -> Workflow:
    """A workflow, kept nowhere, whose only step `a` waits for somebody's word."""
    at = _now()
    node = Node("a", ApprovalWork(Role.RESPONDER, "Go on?"))
    definition = Definition(f"workflow {next(_numbers)}", Trigger(WorkflowEvent.MANUAL), [node], [])
    return Workflow(new_id(), team.id, "", True, definition, 1, 0, 1, team.author.id, at, at)


def a_waiting_run(workflow: Workflow, by: UUID) -> WorkflowRun:
    """A run of `a_workflow`, kept nowhere, that waits."""
    at = _now()
    deadline = at + timedelta(hours=1)
    state = NodeState(NodeStatus.WAITING, started_at=at, deadline=deadline)
    asked = NodeRun("a", state, Awaits.DECISION, question="Go on?", role=Role.RESPONDER)
    return WorkflowRun(
        id=new_id(),
        workflow_id=workflow.id,
        workflow_version=1,
        team_id=workflow.team_id,
        incident_id=None,
        event=WorkflowEvent.MANUAL,
        event_id=None,
        triggered_by=by,
        trigger={},
        definition=workflow.definition,
        created_at=at,
        deadline=deadline,
        nodes={"a": asked},
    )


def _now() -> datetime:
    return datetime.now(UTC)
