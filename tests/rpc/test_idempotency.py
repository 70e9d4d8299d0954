"""A repeated call answers what the first one made, also where both are in flight at once."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import grpc
import pytest

from kernel.execution.content import ConcurrencyPolicy, ScriptLanguage, VersionContent
from kernel.tables import executions, runbook_versions, runbooks, teams
from oncall.v1 import runbook_pb2, team_pb2
from oncall.v1 import runbook_service_pb2 as pb
from oncall.v1 import team_service_pb2 as team_pb
from tests.builders import TeamWithPeople, a_person, a_team, an_approved_runbook
from tests.rpc.conftest import Refusal, RunningServer, refusal_of, stream_refusal_of

REUSED = Refusal(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def _count(server: RunningServer, table: Any) -> int:
    return len((await server.everything_stored())[table.name])


def _create(server: RunningServer, team: TeamWithPeople, name: str = "restart", request_id: str = "once") -> Any:
    request = pb.CreateRunbookRequest(
        runbook=runbook_pb2.Runbook(team_id=str(team.id), name=name),
        version=runbook_pb2.RunbookVersion(script="true", language=runbook_pb2.SCRIPT_LANGUAGE_BASH),
        request_id=request_id,
    )
    return server.runbooks.CreateRunbook(request, metadata=team.author.metadata)


async def _first_event(call: Any) -> Any:
    answer = await call.read()
    call.cancel()
    return answer.event


async def test_two_creations_at_once_make_one_runbook(running_server: RunningServer, team: TeamWithPeople) -> None:
    answers = await asyncio.gather(*(_create(running_server, team) for _ in range(5)))
    assert len({answer.runbook.id for answer in answers}) == 1
    assert {answer.version.version for answer in answers} == {1}
    assert await _count(running_server, runbooks) == 1


async def test_a_request_id_with_other_content_is_refused(running_server: RunningServer, team: TeamWithPeople) -> None:
    await _create(running_server, team)
    assert await refusal_of(_create(running_server, team, name="other")) == REUSED
    assert await _count(running_server, runbooks) == 1


async def test_request_ids_of_different_callers_have_nothing_to_do_with_one_another(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    other = await a_team(running_server.sessions)
    mine, theirs = await asyncio.gather(_create(running_server, team), _create(running_server, other))
    assert mine.runbook.id != theirs.runbook.id


async def test_a_refused_call_leaves_its_request_id_free(running_server: RunningServer, team: TeamWithPeople) -> None:
    await _create(running_server, team, request_id="first")
    taken = await refusal_of(_create(running_server, team, request_id="second"))
    assert taken.reason == "RUNBOOK_NAME_TAKEN"
    await _create(running_server, team, name="free", request_id="second")


async def test_two_versions_at_once_with_one_request_id_are_one(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    request = pb.CreateRunbookVersionRequest(
        runbook_id=str(runbook.id),
        version=runbook_pb2.RunbookVersion(script="false", language=runbook_pb2.SCRIPT_LANGUAGE_BASH),
        request_id="once",
    )
    answers = await asyncio.gather(
        *(running_server.runbooks.CreateRunbookVersion(request, metadata=team.author.metadata) for _ in range(5))
    )
    assert {answer.version.version for answer in answers} == {2}
    assert await _count(running_server, runbook_versions) == 2


@pytest.mark.parametrize("concurrency", ConcurrencyPolicy)
async def test_executing_again_with_the_same_request_id_attaches_to_the_first_execution(
    running_server: RunningServer, team: TeamWithPeople, concurrency: ConcurrencyPolicy
) -> None:
    content = VersionContent("true", ScriptLanguage.BASH, concurrency=concurrency)
    runbook = await an_approved_runbook(running_server.sessions, team, content)
    request = pb.ExecuteRequest(runbook_id=str(runbook.id), request_id="once")
    calls = [running_server.runbooks.Execute(request, metadata=team.responder.metadata) for _ in range(5)]
    events = await asyncio.gather(*map(_first_event, calls))
    assert len({event.execution.id for event in events}) == 1
    assert {event.sequence for event in events} == {1}
    assert await _count(running_server, executions) == 1
    other = pb.ExecuteRequest(runbook_id=str(runbook.id), request_id="once", confirm=True)
    assert await stream_refusal_of(running_server.runbooks.Execute(other, metadata=team.responder.metadata)) == REUSED


async def test_a_repeated_execute_is_not_judged_again(running_server: RunningServer, team: TeamWithPeople) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    request = pb.ExecuteRequest(runbook_id=str(runbook.id), request_id="once")
    execute = partial(running_server.runbooks.Execute, request, metadata=team.responder.metadata)
    first = await _first_event(execute())
    archive = pb.ArchiveRunbookRequest(runbook_id=str(runbook.id))
    await running_server.runbooks.ArchiveRunbook(archive, metadata=team.author.metadata)
    assert (await _first_event(execute())).execution.id == first.execution.id
    request.request_id = "another"
    assert (await stream_refusal_of(execute())).reason == "RUNBOOK_NOT_RUNNABLE"


async def test_a_refused_execute_leaves_its_request_id_free(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    content = VersionContent("true", ScriptLanguage.BASH, requires_confirm=True)
    runbook = await an_approved_runbook(running_server.sessions, team, content)
    request = pb.ExecuteRequest(runbook_id=str(runbook.id), request_id="once")
    execute = partial(running_server.runbooks.Execute, request, metadata=team.responder.metadata)
    assert (await stream_refusal_of(execute())).reason == "CONFIRMATION_REQUIRED"
    request.confirm = True
    assert (await _first_event(execute())).sequence == 1


async def test_a_team_a_user_and_a_service_are_made_once(running_server: RunningServer, team: TeamWithPeople) -> None:
    admin = (await a_person(running_server.sessions, platform_admin=True)).metadata
    before = await _count(running_server, teams)
    stub = running_server.teams
    for request in (
        team_pb.CreateTeamRequest(team=team_pb2.Team(name="new"), request_id="once"),
        team_pb.CreateUserRequest(user=team_pb2.User(email="New@x.org", display_name="New"), request_id="once"),
        team_pb.CreateServiceRequest(service=team_pb2.Service(team_id=str(team.id), name="db"), request_id="once"),
    ):
        method = getattr(stub, type(request).__name__.removesuffix("Request"))
        first, second = await asyncio.gather(method(request, metadata=admin), method(request, metadata=admin))
        assert first == second
    assert await _count(running_server, teams) == before + 1
