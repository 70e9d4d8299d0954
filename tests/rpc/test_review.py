"""The review of a version, over the wire: who may, in which order, and what it changes."""

from __future__ import annotations

import grpc

from kernel.execution.content import ParameterDefinition, ParameterType, ScriptLanguage, VersionContent
from oncall.v1 import runbook_pb2
from oncall.v1 import runbook_service_pb2 as pb
from server.domain.permission import Role
from tests.builders import Person, TeamWithPeople, a_draft_runbook, a_member, a_person, an_approved_runbook
from tests.rpc.conftest import Refusal, RunningServer, refusal_of, stream_refusal_of

SELF_APPROVAL = Refusal(grpc.StatusCode.PERMISSION_DENIED, "SELF_APPROVAL")


class Review:
    """One runbook, and the calls that move its versions."""

    def __init__(self, server: RunningServer, runbook_id: str) -> None:
        self._stub, self.id = server.runbooks, runbook_id

    async def version(self, by: Person, **fields: object) -> runbook_pb2.RunbookVersion:
        content = runbook_pb2.RunbookVersion(
            **{"script": "echo changed", "language": runbook_pb2.SCRIPT_LANGUAGE_BASH, **fields}  # type: ignore[arg-type]
        )
        request = pb.CreateRunbookVersionRequest(runbook_id=self.id, version=content)
        return (await self._stub.CreateRunbookVersion(request, metadata=by.metadata)).version

    async def submit(self, by: Person, version: int = 0) -> pb.SubmitRunbookForReviewResponse:
        request = pb.SubmitRunbookForReviewRequest(runbook_id=self.id, version=version)
        return await self._stub.SubmitRunbookForReview(request, metadata=by.metadata)

    async def approve(self, by: Person, version: int) -> pb.ApproveRunbookResponse:
        read = await self._stub.GetRunbookVersion(
            pb.GetRunbookVersionRequest(runbook_id=self.id, version=version), metadata=by.metadata
        )
        request = pb.ApproveRunbookRequest(
            runbook_id=self.id, version=version, digest=read.version.digest, comment="read it"
        )
        return await self._stub.ApproveRunbook(request, metadata=by.metadata)

    async def runbook(self, by: Person) -> runbook_pb2.Runbook:
        return (await self._stub.GetRunbook(pb.GetRunbookRequest(runbook_id=self.id), metadata=by.metadata)).runbook


async def test_a_newer_version_in_review_leaves_what_runs_as_it_is(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    review = Review(running_server, str(runbook.id))
    assert (await review.version(team.author)).version == 2
    submitted = await review.submit(team.author)
    assert submitted.version.status == runbook_pb2.RUNBOOK_VERSION_STATUS_PENDING_REVIEW
    assert submitted.runbook.status == runbook_pb2.RUNBOOK_STATUS_APPROVED
    assert (submitted.runbook.current_version, submitted.runbook.latest_version) == (1, 2)
    approved = await review.approve(team.reviewer, 2)
    assert approved.runbook.current_version == 2
    assert approved.version.reviewed_by == str(team.reviewer.id)
    assert approved.version.review_comment == "read it"


async def test_neither_creator_nor_author_nor_submitter_may_approve_whatever_their_role(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    sessions = running_server.sessions
    runbook = await a_draft_runbook(sessions, team)
    review = Review(running_server, str(runbook.id))
    writer = await a_member(sessions, team.id, Role.TEAM_ADMIN)
    admin = await a_person(sessions, platform_admin=True)
    await review.version(writer)
    await review.submit(admin, 2)
    for person in (team.author, writer, admin):
        assert await refusal_of(review.approve(person, 2)) == SELF_APPROVAL
    await review.approve(team.reviewer, 2)


async def test_a_version_is_submitted_once_and_approved_once(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook = await a_draft_runbook(running_server.sessions, team)
    review = Review(running_server, str(runbook.id))
    early = await refusal_of(review.approve(team.reviewer, 1))
    assert (early.reason, early.metadata) == ("ILLEGAL_TRANSITION", {"from": "DRAFT", "to": "APPROVED"})
    await review.submit(team.author)
    assert (await review.runbook(team.observer)).status == runbook_pb2.RUNBOOK_STATUS_PENDING_REVIEW
    again = await refusal_of(review.submit(team.author))
    assert again.metadata == {"from": "PENDING_REVIEW", "to": "PENDING_REVIEW"}
    await review.approve(team.reviewer, 1)
    assert (await refusal_of(review.approve(team.reviewer, 1))).reason == "ILLEGAL_TRANSITION"


async def test_a_version_that_names_secrets_the_team_lacks_is_not_approved(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook = await a_draft_runbook(running_server.sessions, team)
    review = Review(running_server, str(runbook.id))
    await review.version(team.author, secret_names=["database_password"])
    await review.submit(team.author)
    refused = await refusal_of(review.approve(team.reviewer, 2))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SECRET_MISSING")
    assert refused.metadata == {"secret_names": "database_password"}


async def test_every_change_changes_the_etag(running_server: RunningServer, team: TeamWithPeople) -> None:
    runbook = await a_draft_runbook(running_server.sessions, team)
    review = Review(running_server, str(runbook.id))
    etags = [(await review.runbook(team.observer)).etag]
    for step in (review.submit(team.author), review.approve(team.reviewer, 1), review.version(team.author)):
        await step
        etags.append((await review.runbook(team.observer)).etag)
    assert len(set(etags)) == 4
    assert etags[-1] == (await review.runbook(team.observer)).etag


async def test_only_an_approved_version_runs_and_a_confirmation_is_asked_for(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    review = Review(running_server, str(runbook.id))
    await review.version(team.author, requires_confirm=True)

    def execute(**fields: object) -> object:
        request = pb.ExecuteRequest(runbook_id=review.id, version=2, **fields)  # type: ignore[arg-type]
        return running_server.runbooks.Execute(request, metadata=team.responder.metadata)

    assert (await stream_refusal_of(execute())).reason == "VERSION_NOT_APPROVED"
    await review.submit(team.author)
    await review.approve(team.reviewer, 2)
    assert (await stream_refusal_of(execute())).reason == "CONFIRMATION_REQUIRED"
    call = execute(confirm=True)
    assert (await call.read()).event.execution.version == 2  # type: ignore[attr-defined]
    call.cancel()  # type: ignore[attr-defined]


async def test_what_is_written_is_read_back_with_its_defaults_and_its_digest(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    review = Review(running_server, str(runbook.id))
    parameter = runbook_pb2.ParameterDefinition(name="count", type=runbook_pb2.PARAMETER_TYPE_INTEGER, min=1, max=5)
    parameter.default.number_value = 3
    written = await review.version(
        team.author, script="echo ünïcode ☃", parameters=[parameter], secret_names=["b", "a"], change_note="why"
    )
    stub, metadata = running_server.runbooks, team.observer.metadata
    read = await stub.GetRunbookVersion(pb.GetRunbookVersionRequest(runbook_id=review.id, version=2), metadata=metadata)
    assert read.version == written
    assert (written.timeout_seconds, written.limits.processes, list(written.secret_names)) == (60, 128, ["a", "b"])
    assert written.network == runbook_pb2.NETWORK_POLICY_NONE
    current = await stub.GetRunbookVersion(pb.GetRunbookVersionRequest(runbook_id=review.id), metadata=metadata)
    assert current.version.version == 1
    listed = await stub.ListRunbookVersions(pb.ListRunbookVersionsRequest(runbook_id=review.id), metadata=metadata)
    assert [(version.version, version.script) for version in listed.versions] == [(2, ""), (1, "")]
    assert listed.versions[0].digest == written.digest


async def test_a_version_that_was_read_can_be_sent_back_as_it_is(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    types = (ParameterType.STRING, ParameterType.INTEGER, ParameterType.NUMBER, ParameterType.BOOLEAN)
    parameters = [ParameterDefinition(f"p{number}", kind) for number, kind in enumerate(types)]
    parameters.append(ParameterDefinition("choice", ParameterType.ENUM, options=("a", "b"), default="a"))
    content = VersionContent("exit 0", ScriptLanguage.BASH, parameters=tuple(parameters))
    runbook = await an_approved_runbook(running_server.sessions, team, content)
    metadata = team.author.metadata
    read = await running_server.runbooks.GetRunbookVersion(
        pb.GetRunbookVersionRequest(runbook_id=str(runbook.id)), metadata=metadata
    )
    sent = await running_server.runbooks.CreateRunbookVersion(
        pb.CreateRunbookVersionRequest(runbook_id=str(runbook.id), version=read.version), metadata=metadata
    )
    assert (sent.version.version, sent.version.digest) == (2, read.version.digest)
