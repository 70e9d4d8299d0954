"""Every bad call gets a precise status and reason, and leaves the database exactly as it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct

from kernel.execution.content import ParameterDefinition, ParameterType, ScriptLanguage, VersionContent
from oncall.v1 import runbook_pb2, team_pb2
from oncall.v1 import runbook_service_pb2 as pb
from oncall.v1 import team_service_pb2 as team_pb
from server.domain.runbook import Runbook
from tests.builders import Person, TeamWithPeople, a_draft_runbook, a_person, a_team, an_approved_runbook
from tests.rpc.conftest import Refusal, RunningServer, refusal_of, stream_refusal_of

INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
DENIED, PRECONDITION = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.FAILED_PRECONDITION


class World:
    """A team with an approved runbook that takes a number, and a draft; another team; and what is asked of them."""

    def __init__(self, server: RunningServer, team: TeamWithPeople, other: TeamWithPeople) -> None:
        self.server, self.team, self.other = server, team, other
        self.approved: Runbook
        self.draft: Runbook
        self.admin: Person

    def create(
        self, *, team_id: str = "", as_: Person | None = None, name: str = "new", **version: Any
    ) -> Awaitable[Any]:
        content = {"script": "echo hello", "language": runbook_pb2.SCRIPT_LANGUAGE_BASH, **version}
        request = pb.CreateRunbookRequest(
            runbook=runbook_pb2.Runbook(team_id=team_id or str(self.team.id), name=name),
            version=runbook_pb2.RunbookVersion(**content),
        )
        return self.server.runbooks.CreateRunbook(request, metadata=(as_ or self.team.author).metadata)

    def execute(self, as_: Person | None = None, parameters: dict[str, Any] | None = None, **fields: Any) -> Any:
        values = Struct()
        values.update({"count": 1} if parameters is None else parameters)
        request = pb.ExecuteRequest(**{"runbook_id": str(self.approved.id), "parameters": values, **fields})
        return self.server.runbooks.Execute(request, metadata=(as_ or self.team.responder).metadata)

    def approve(self, as_: Person, runbook: Runbook, **fields: Any) -> Awaitable[Any]:
        request = pb.ApproveRunbookRequest(
            **{"runbook_id": str(runbook.id), "version": 1, "digest": "0" * 64, **fields}
        )
        return self.server.runbooks.ApproveRunbook(request, metadata=as_.metadata)


@pytest.fixture
async def world(running_server: RunningServer, team: TeamWithPeople) -> World:
    sessions = running_server.sessions
    world = World(running_server, team, await a_team(sessions))
    count = ParameterDefinition("count", ParameterType.INTEGER, required=True, min=0, max=10)
    content = VersionContent("echo $PARAM_COUNT", ScriptLanguage.BASH, (count,))
    world.approved = await an_approved_runbook(sessions, team, content, name="approved")
    world.draft = await a_draft_runbook(sessions, team, name="draft")
    world.admin = await a_person(sessions, platform_admin=True)
    return world


def _get(world: World, runbook_id: str, as_: Person | None = None) -> Awaitable[Any]:
    return world.server.runbooks.GetRunbook(
        pb.GetRunbookRequest(runbook_id=runbook_id), metadata=(as_ or world.team.observer).metadata
    )


def _list(world: World, **fields: Any) -> Awaitable[Any]:
    return world.server.runbooks.ListRunbooks(pb.ListRunbooksRequest(**fields), metadata=world.team.observer.metadata)


def _list_executions(world: World, **fields: Any) -> Awaitable[Any]:
    return world.server.runbooks.ListExecutions(
        pb.ListExecutionsRequest(**fields), metadata=world.team.observer.metadata
    )


def _parameter(**fields: Any) -> list[runbook_pb2.ParameterDefinition]:
    return [runbook_pb2.ParameterDefinition(**{"name": "p", "type": runbook_pb2.PARAMETER_TYPE_STRING, **fields})]


REFUSED: dict[str, tuple[Callable[[World], Any], Refusal]] = {
    "unknown id": (lambda w: _get(w, str(uuid4())), Refusal(NOT_FOUND, "NOT_FOUND")),
    "malformed id": (lambda w: _get(w, "42"), Refusal(INVALID, "INVALID_ARGUMENT", ("runbook_id",))),
    "missing id": (lambda w: _get(w, ""), Refusal(INVALID, "INVALID_ARGUMENT", ("runbook_id",))),
    "id with NUL": (lambda w: _get(w, "\x00" * 36), Refusal(INVALID, "INVALID_ARGUMENT", ("runbook_id",))),
    "runbook of another team": (
        lambda w: _get(w, str(w.approved.id), w.other.author),
        Refusal(NOT_FOUND, "NOT_FOUND"),
    ),
    "empty script": (lambda w: w.create(script=""), Refusal(INVALID, "INVALID_ARGUMENT", ("version.script",))),
    "script of 5 MiB": (
        lambda w: w.create(script="#" * 5 * 1024 * 1024),
        Refusal(INVALID, "INVALID_ARGUMENT", ("version.script",)),
    ),
    "script one byte too long": (
        lambda w: w.create(script="é" + "#" * (1024 * 1024 - 1)),
        Refusal(INVALID, "INVALID_ARGUMENT", ("version.script",)),
    ),
    "script with NUL": (lambda w: w.create(script="a\x00b"), Refusal(INVALID, "INVALID_ARGUMENT", ("version.script",))),
    "no language": (lambda w: w.create(language=0), Refusal(INVALID, "INVALID_ARGUMENT", ("version.language",))),
    "unknown language": (lambda w: w.create(language=99), Refusal(INVALID, "INVALID_ARGUMENT", ("version.language",))),
    "everything wrong at once": (
        lambda w: w.create(
            name="-", script="", timeout_seconds=301, max_retries=-1, secret_names=["x", "X"], change_note="n" * 1001
        ),
        Refusal(
            INVALID,
            "INVALID_ARGUMENT",
            (
                "runbook.name",
                "version.script",
                "version.timeout_seconds",
                "version.max_retries",
                "version.secret_names",
                "version.change_note",
            ),
        ),
    ),
    "limits out of range": (
        lambda w: w.create(
            limits=runbook_pb2.ResourceLimits(memory_bytes=1, cpus=float("nan"), processes=-1, disk_bytes=2**62)
        ),
        Refusal(
            INVALID,
            "INVALID_ARGUMENT",
            tuple(f"version.limits.{name}" for name in ("memory_bytes", "cpus", "processes", "disk_bytes")),
        ),
    ),
    "parameter name": (
        lambda w: w.create(parameters=_parameter(name="Bad")),
        Refusal(INVALID, "INVALID_ARGUMENT", ("version.parameters[0].name",)),
    ),
    "parameter pattern": (
        lambda w: w.create(parameters=_parameter(pattern="(")),
        Refusal(INVALID, "INVALID_ARGUMENT", ("version.parameters[0].pattern",)),
    ),
    "runbook name taken": (
        lambda w: w.create(name="approved"),
        Refusal(grpc.StatusCode.ALREADY_EXISTS, "RUNBOOK_NAME_TAKEN"),
    ),
    "runbook in another team": (
        lambda w: w.create(team_id=str(w.other.id)),
        Refusal(NOT_FOUND, "NOT_FOUND"),
    ),
    "runbook in no team": (lambda w: w.create(team_id=str(uuid4()), as_=w.admin), Refusal(NOT_FOUND, "NOT_FOUND")),
    "runbook by a responder": (lambda w: w.create(as_=w.team.responder), Refusal(DENIED, "ROLE_MISSING")),
    "page_size -1": (lambda w: _list(w, page_size=-1), Refusal(INVALID, "INVALID_ARGUMENT", ("page_size",))),
    "executions, page_size -1": (
        lambda w: _list_executions(w, page_size=-1),
        Refusal(INVALID, "INVALID_ARGUMENT", ("page_size",)),
    ),
    "page token": (lambda w: _list(w, page_token="x"), Refusal(INVALID, "PAGE_TOKEN_INVALID", ("page_token",))),
    "query with NUL": (lambda w: _list(w, query="\x00"), Refusal(INVALID, "INVALID_ARGUMENT", ("query",))),
    "filter on an unknown status": (
        lambda w: _list(w, status=99),
        Refusal(INVALID, "INVALID_ARGUMENT", ("status",)),
    ),
    "filter on another team": (lambda w: _list(w, team_id=str(w.other.id)), Refusal(NOT_FOUND, "NOT_FOUND")),
    "self-approval": (lambda w: w.approve(w.team.author, w.draft), Refusal(DENIED, "SELF_APPROVAL")),
    "approval by a responder": (lambda w: w.approve(w.team.responder, w.draft), Refusal(DENIED, "ROLE_MISSING")),
    "approval of another digest": (
        lambda w: w.approve(w.team.reviewer, w.draft),
        Refusal(grpc.StatusCode.ABORTED, "DIGEST_MISMATCH"),
    ),
    "approval without version or digest": (
        lambda w: w.approve(w.team.reviewer, w.draft, version=0, digest=""),
        Refusal(INVALID, "INVALID_ARGUMENT", ("version", "digest")),
    ),
    "approval of an unknown version": (
        lambda w: w.approve(w.team.reviewer, w.draft, version=2),
        Refusal(NOT_FOUND, "NOT_FOUND"),
    ),
    "submission of an approved version": (
        lambda w: w.server.runbooks.SubmitRunbookForReview(
            pb.SubmitRunbookForReviewRequest(runbook_id=str(w.approved.id)), metadata=w.team.author.metadata
        ),
        Refusal(PRECONDITION, "ILLEGAL_TRANSITION"),
    ),
    "a user by somebody who is no admin": (
        lambda w: w.server.teams.CreateUser(
            team_pb.CreateUserRequest(user=team_pb2.User(email="a@b", display_name="A")),
            metadata=w.team.author.metadata,
        ),
        Refusal(DENIED, "ROLE_MISSING"),
    ),
    "a token for somebody else": (
        lambda w: w.server.teams.CreateApiToken(
            team_pb.CreateApiTokenRequest(
                api_token=team_pb2.ApiToken(user_id=str(w.team.reviewer.id), display_name="mine now")
            ),
            metadata=w.team.author.metadata,
        ),
        Refusal(NOT_FOUND, "NOT_FOUND"),
    ),
}

STREAMS_REFUSED: dict[str, tuple[Callable[[World], Any], Refusal]] = {
    "wrong type": (
        lambda w: w.execute(parameters={"count": "many"}),
        Refusal(INVALID, "INVALID_ARGUMENT", ("parameters.count",)),
    ),
    "not whole": (
        lambda w: w.execute(parameters={"count": 1.5}),
        Refusal(INVALID, "INVALID_ARGUMENT", ("parameters.count",)),
    ),
    "missing and unknown": (
        lambda w: w.execute(parameters={"other": 1}),
        Refusal(INVALID, "INVALID_ARGUMENT", ("parameters.other", "parameters.count")),
    ),
    "not approved": (
        lambda w: w.execute(runbook_id=str(w.draft.id), parameters={}),
        Refusal(PRECONDITION, "RUNBOOK_NOT_RUNNABLE"),
    ),
    "unknown runbook": (lambda w: w.execute(runbook_id=str(uuid4())), Refusal(NOT_FOUND, "NOT_FOUND")),
    "unknown version": (lambda w: w.execute(version=7), Refusal(NOT_FOUND, "NOT_FOUND")),
    "negative version": (lambda w: w.execute(version=-1), Refusal(INVALID, "INVALID_ARGUMENT", ("version",))),
    "unknown incident": (lambda w: w.execute(incident_id=str(uuid4())), Refusal(NOT_FOUND, "NOT_FOUND")),
    "long request id": (
        lambda w: w.execute(request_id="r" * 101),
        Refusal(INVALID, "INVALID_ARGUMENT", ("request_id",)),
    ),
    "by an observer": (lambda w: w.execute(w.team.observer), Refusal(DENIED, "ROLE_MISSING")),
    "by another team": (lambda w: w.execute(w.other.author), Refusal(NOT_FOUND, "NOT_FOUND")),
    "watching an unknown execution": (
        lambda w: w.server.runbooks.WatchExecution(
            pb.WatchExecutionRequest(execution_id=str(uuid4())), metadata=w.team.observer.metadata
        ),
        Refusal(NOT_FOUND, "NOT_FOUND"),
    ),
    "watching from before the beginning": (
        lambda w: w.server.runbooks.WatchExecution(
            pb.WatchExecutionRequest(execution_id=str(uuid4()), after_sequence=-1), metadata=w.team.observer.metadata
        ),
        Refusal(INVALID, "INVALID_ARGUMENT", ("after_sequence",)),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_bad_call_is_refused_with_its_reason_and_changes_nothing(world: World, name: str) -> None:
    call, expected = REFUSED[name]
    before = await world.server.everything_stored()
    assert await refusal_of(call(world)) == expected
    assert await world.server.everything_stored() == before


@pytest.mark.parametrize("name", STREAMS_REFUSED)
async def test_a_bad_stream_is_refused_with_its_reason_and_changes_nothing(world: World, name: str) -> None:
    call, expected = STREAMS_REFUSED[name]
    before = await world.server.everything_stored()
    assert await stream_refusal_of(call(world)) == expected
    assert await world.server.everything_stored() == before


async def test_nothing_tells_what_others_have_from_what_nobody_has(world: World) -> None:
    theirs = await refusal_of(_get(world, str(world.approved.id), world.other.author))
    nobodys = await refusal_of(_get(world, str(uuid4()), world.other.author))
    assert (theirs.message, theirs.metadata) == (nobodys.message, nobodys.metadata)


async def test_a_request_that_is_no_message_is_a_bad_argument(world: World) -> None:
    invalid_utf8 = b"\x0a\x03\xed\xa0\x80"  # runbook_id: a lone surrogate
    call = world.server.channel.unary_unary("/oncall.v1.RunbookService/GetRunbook")
    refused = await refusal_of(call(invalid_utf8, metadata=world.team.observer.metadata))
    assert refused == Refusal(INVALID, "INVALID_ARGUMENT", ("",))


async def test_more_violations_than_a_header_holds_are_counted(world: World) -> None:
    parameters = [runbook_pb2.ParameterDefinition(name="B" * 60 + str(i)) for i in range(100)]
    refused = await refusal_of(world.create(parameters=parameters))
    assert refused.code is INVALID
    assert len(refused.fields) > 20
    assert refused.fields[-1] == ""
