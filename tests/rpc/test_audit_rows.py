"""Who did or tried what, about which resource, from where and under which request id: in the audit, done or denied."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kernel.database import transaction
from kernel.execution.content import ParameterDefinition, ParameterType, ScriptLanguage, VersionContent
from oncall.v1 import runbook_pb2, secret_service_pb2_grpc, team_pb2
from oncall.v1 import runbook_service_pb2 as pb
from oncall.v1 import secret_service_pb2 as secret_pb
from oncall.v1 import team_service_pb2 as team_pb
from server.domain.denial import MOST_ROWS, Denial
from server.domain.page import Pager
from server.operations.environment import Environment
from server.operations.record_denial import DenialRecord
from tests.builders import TeamWithPeople, a_person, an_approved_runbook
from tests.executors import an_executor, settings_of
from tests.rpc.audited import audited
from tests.rpc.conftest import RunningServer, refusal_of
from tests.status_pages import StatusPageDesk


def _create(team: TeamWithPeople, request_id: str = "") -> pb.CreateRunbookRequest:
    return pb.CreateRunbookRequest(
        runbook=runbook_pb2.Runbook(team_id=str(team.id), name="audited"),
        version=runbook_pb2.RunbookVersion(script="echo $ALL", language=runbook_pb2.SCRIPT_LANGUAGE_BASH),
        request_id=request_id,
    )


async def test_a_change_says_who_what_which_from_where_and_under_which_request_id(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    request = _create(team, "deploy-7")
    made = await running_server.runbooks.CreateRunbook(request, metadata=team.author.metadata)
    (row,) = await audited(running_server.sessions)
    assert (row["actor_id"], row["team_id"], row["action"]) == (team.author.id, team.id, "runbook.created")
    assert (row["resource_type"], row["resource_id"]) == ("runbook", made.runbook.id)
    assert (row["peer"], row["request_id"], row["outcome"]) == ("127.0.0.1", "deploy-7", "DONE")
    assert "echo" not in str(row["detail"])

    await running_server.runbooks.CreateRunbook(request, metadata=team.author.metadata)
    assert len(await audited(running_server.sessions)) == 1  # a repeat changes nothing


async def test_a_denied_attempt_says_the_same_and_why(running_server: RunningServer, team: TeamWithPeople) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    denied = pb.CancelExecutionRequest(execution_id="no id at all")
    await refusal_of(running_server.runbooks.CancelExecution(denied, metadata=team.observer.metadata))
    approve = pb.ApproveRunbookRequest(runbook_id=str(runbook.id).upper(), version=1, digest="0" * 64)
    await refusal_of(running_server.runbooks.ApproveRunbook(approve, metadata=team.responder.metadata))
    await refusal_of(running_server.runbooks.ApproveRunbook(approve, metadata=team.author.metadata))
    create = _create(team, "try-1")
    await refusal_of(running_server.runbooks.CreateRunbook(create, metadata=team.observer.metadata))

    rows = await audited(running_server.sessions)
    assert {row["outcome"] for row in rows} == {"DENIED"}
    assert {row["peer"] for row in rows} == {"127.0.0.1"}
    assert {row["team_id"] for row in rows} == {team.id}
    assert [(row["actor_id"], row["action"], row["resource_id"], row["request_id"], row["detail"]) for row in rows] == [
        (
            team.responder.id,
            "runbook.denied",
            str(runbook.id),
            "",
            {"method": "RunbookService/ApproveRunbook", "reason": "ROLE_MISSING"},
        ),
        (
            team.author.id,
            "runbook.denied",
            str(runbook.id),
            "",
            {"method": "RunbookService/ApproveRunbook", "reason": "SELF_APPROVAL"},
        ),
        (
            team.observer.id,
            "team.denied",
            str(team.id),
            "try-1",
            {"method": "RunbookService/CreateRunbook", "reason": "ROLE_MISSING"},
        ),
    ]


async def test_what_a_denied_request_carried_is_not_kept(running_server: RunningServer, team: TeamWithPeople) -> None:
    request = secret_pb.PutSecretRequest(team_id=str(team.id), name="DB_PASSWORD", value="hunter2-hunter2")
    stub = secret_service_pb2_grpc.SecretServiceStub(running_server.channel)
    await refusal_of(stub.PutSecret(request, metadata=team.observer.metadata))
    await stub.PutSecret(request, metadata=team.author.metadata)
    denied, done = await audited(running_server.sessions)
    assert (denied["outcome"], done["action"]) == ("DENIED", "secret.put")
    assert "hunter2" not in str(denied) + str(done)


async def test_an_executions_beginning_and_end_are_noted_without_its_values(
    running_server: RunningServer, team: TeamWithPeople, database_url: str, redis_url: str
) -> None:
    secret = ParameterDefinition("password", ParameterType.STRING, sensitive=True)
    content = VersionContent("exit 3", ScriptLanguage.BASH, (secret,))
    runbook = await an_approved_runbook(running_server.sessions, team, content)
    request = pb.ExecuteRequest(runbook_id=str(runbook.id), request_id="run-1")
    request.parameters.update({"password": "hunter2"})
    execution_id = ""
    async with an_executor(settings_of(database_url, redis_url)):
        async for answer in running_server.runbooks.Execute(request, metadata=team.responder.metadata):
            execution_id = answer.event.execution.id or execution_id
    created, ended = await audited(running_server.sessions, resource_id=execution_id)
    assert (created["action"], created["actor_id"], created["request_id"]) == (
        "execution.created",
        team.responder.id,
        "run-1",
    )
    assert (ended["action"], ended["actor_id"], ended["team_id"]) == ("execution.ended", None, team.id)
    assert ended["detail"] == {"status": "FAILED", "exit_code": 3, "error_code": None, "attempt": 1}
    assert "hunter2" not in str(created) + str(ended)


async def test_who_cancels_and_that_it_ended_are_noted_apart(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    request = pb.ExecuteRequest(runbook_id=str(runbook.id))
    stream = running_server.runbooks.Execute(request, metadata=team.responder.metadata)
    execution_id = (await anext(aiter(stream))).event.execution.id
    cancel = pb.CancelExecutionRequest(execution_id=execution_id)
    for _ in range(2):
        await running_server.runbooks.CancelExecution(cancel, metadata=team.author.metadata)
    rows = await audited(running_server.sessions, resource_id=execution_id)
    assert sorted((row["action"], row["actor_id"]) for row in rows if row["actor_id"] != team.responder.id) == [
        ("execution.cancel_requested", team.author.id),
        ("execution.ended", None),
    ]


async def test_what_is_denied_before_it_is_read_is_kept_only_where_it_is_an_id(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    """A request that is denied has not been checked: it may hold what no row can."""
    request = team_pb.CreateUserRequest(user=team_pb2.User(id="\0oct_secret"), request_id="x\0" * 200)
    await refusal_of(running_server.teams.CreateUser(request, metadata=team.author.metadata))
    (row,) = await audited(running_server.sessions)
    assert (row["action"], row["resource_id"], row["team_id"]) == ("rpc.denied", "TeamService/CreateUser", None)
    assert row["request_id"] == "x" * 100


async def test_a_caller_denied_in_a_loop_leaves_a_few_rows_and_their_number(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    for _ in range(40):
        create = running_server.teams.CreateUser(team_pb.CreateUserRequest(), metadata=team.observer.metadata)
        await refusal_of(create)
    assert len(await audited(running_server.sessions)) == MOST_ROWS
    await running_server.platform.denials.flush()
    *_, last = rows = await audited(running_server.sessions)
    assert (len(rows), last["detail"]["count"]) == (MOST_ROWS + 1, 40 - MOST_ROWS)


async def test_bad_credentials_are_noted_within_bounds_and_missing_ones_left_to_the_log(
    running_server: RunningServer,
) -> None:
    get = pb.GetRunbookRequest(runbook_id="7")
    await refusal_of(running_server.runbooks.GetRunbook(get))
    assert await audited(running_server.sessions) == []
    for number in range(20):
        bad = (("authorization", f"Bearer oct_AAAAAAAA_{number}"),)
        await refusal_of(running_server.runbooks.GetRunbook(get, metadata=bad))
    rows = await audited(running_server.sessions)
    assert len(rows) == MOST_ROWS
    assert {(row["actor_id"], row["outcome"], row["peer"]) for row in rows} == {(None, "DENIED", "127.0.0.1")}
    assert "oct_" not in str(rows)


async def test_who_hangs_up_at_once_does_not_escape(running_server: RunningServer, team: TeamWithPeople) -> None:
    record = DenialRecord(Environment(running_server.sessions, Pager(b"")))
    noting = asyncio.create_task(record.note(Denial(team.observer.id, "A/B", "ROLE_MISSING", "rpc", "A/B")))
    await asyncio.sleep(0)
    noting.cancel()
    await record.flush()
    assert noting.cancelled()
    assert len(await audited(running_server.sessions, actor_id=team.observer.id)) == 1


async def test_a_denied_partner_is_noted_with_their_own_address(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    sessions = running_server.sessions
    gateway = await a_person(sessions, service_account="gateway")
    desk = StatusPageDesk(running_server.channel, sessions, team, gateway)
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    await desk.revoke(partner)
    with pytest.raises(grpc.aio.AioRpcError):
        await desk.read(page.slug, partner.token, client_ip="2001:DB8::7")
    (row,) = await audited(sessions, outcome="DENIED")
    assert (row["peer"], row["team_id"], row["actor_id"]) == ("2001:db8::7", team.id, gateway.id)
    assert (row["resource_type"], row["resource_id"]) == ("status_page", page.slug)
    assert partner.token not in str(row)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET actor_id = NULL",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "UPDATE audit_seals SET hash = ''",
        "DELETE FROM audit_seals",
        "TRUNCATE audit_seals",
        "TRUNCATE audit_events, audit_seals CASCADE",
    ],
)
async def test_the_database_itself_refuses_to_change_the_audit(
    running_server: RunningServer, team: TeamWithPeople, statement: str
) -> None:
    sessions = running_server.sessions
    await running_server.runbooks.CreateRunbook(_create(team), metadata=team.author.metadata)
    async with transaction(sessions) as tx:
        seal = "INSERT INTO audit_seals SELECT 1, min(id), '', '' FROM audit_events"
        await tx.session.execute(text(seal))
    with pytest.raises(DBAPIError, match="rows are written once"):
        async with transaction(sessions) as tx:
            await tx.session.execute(text(statement))
