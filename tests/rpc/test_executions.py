"""Executing, reading, listing and cancelling: what is stored, shown, masked and told."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from uuid import UUID

import grpc
from google.protobuf.struct_pb2 import Struct
from sqlalchemy import select, update

from kernel import lifecycle
from kernel.cipher import Cipher
from kernel.database import transaction
from kernel.execution.content import (
    ConcurrencyPolicy,
    ParameterDefinition,
    ParameterType,
    ScriptLanguage,
    VersionContent,
)
from kernel.log_stream import cancel_channel
from kernel.tables import audit_events, executions
from oncall.v1 import execution_pb2
from oncall.v1 import runbook_service_pb2 as pb
from server.domain.runbook import Runbook
from tests.builders import MASTER_KEY, Person, TeamWithPeople, a_person, a_team, an_approved_runbook
from tests.rpc.conftest import Refusal, RunningServer, refusal_of, stream_refusal_of
from tests.rpc.scripted_executor import ScriptedExecutor

ENDED = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "EXECUTION_ENDED")


async def _execute(
    server: RunningServer, by: Person, runbook: Runbook, **fields: object
) -> execution_pb2.ExecutionEvent:
    request = pb.ExecuteRequest(runbook_id=str(runbook.id), **fields)  # type: ignore[arg-type]
    call = server.runbooks.Execute(request, metadata=by.metadata)
    event = (await call.read()).event
    call.cancel()
    return event


async def _get(server: RunningServer, by: Person, execution_id: str) -> execution_pb2.Execution:
    answer = await server.runbooks.GetExecution(pb.GetExecutionRequest(execution_id=execution_id), metadata=by.metadata)
    return answer.execution


async def _cancel(server: RunningServer, by: Person, execution_id: str) -> execution_pb2.Execution:
    answer = await server.runbooks.CancelExecution(
        pb.CancelExecutionRequest(execution_id=execution_id), metadata=by.metadata
    )
    return answer.execution


async def _list(server: RunningServer, by: Person, **fields: object) -> pb.ListExecutionsResponse:
    request = pb.ListExecutionsRequest(**fields)  # type: ignore[arg-type]
    return await server.runbooks.ListExecutions(request, metadata=by.metadata)


async def test_sensitive_values_are_masked_everywhere_and_sealed_for_the_sandbox(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    definitions = (
        ParameterDefinition("password", ParameterType.STRING, sensitive=True),
        ParameterDefinition("count", ParameterType.INTEGER, default=3),
    )
    content = VersionContent("true", ScriptLanguage.BASH, definitions)
    runbook = await an_approved_runbook(running_server.sessions, team, content)
    values = Struct()
    values.update({"password": "correct horse"})
    event = await _execute(running_server, team.responder, runbook, parameters=values)
    assert dict(event.execution.parameters) == {"password": "********", "count": 3}
    assert dict((await _get(running_server, team.observer, event.execution.id)).parameters) == {
        "password": "********",
        "count": 3,
    }
    async with running_server.sessions() as session:
        row = (await session.execute(select(executions))).one()
    assert row.parameters == {"password": "********", "count": 3}
    assert json.loads(Cipher(MASTER_KEY).open(row.sealed_parameters, str(row.id))) == {"password": "correct horse"}
    assert "correct horse" not in str(await running_server.everything_stored())


async def test_an_execution_is_audited_with_who_and_what(running_server: RunningServer, team: TeamWithPeople) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    event = await _execute(running_server, team.responder, runbook)
    async with running_server.sessions() as session:
        row = (await session.execute(select(audit_events))).one()
    assert (row.action, row.actor_id, row.team_id) == ("execution.created", team.responder.id, team.id)
    assert (row.resource_type, row.resource_id) == ("execution", event.execution.id)
    assert row.detail["digest"] == event.execution.digest


async def test_an_ended_execution_shows_its_output_and_its_log_does_not(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    event = await _execute(running_server, team.responder, runbook)
    executor = ScriptedExecutor(running_server, event.execution.id)
    await executor.claim()
    await executor.say(b"hello")
    await executor.finish(exit_code=3)
    ended = await _get(running_server, team.observer, event.execution.id)
    assert (ended.status, ended.exit_code, ended.stdout) == (execution_pb2.EXECUTION_STATUS_FAILED, 3, "hello")
    assert (ended.stdout_size, len(ended.stdout_sha256)) == (5, 64)
    assert ended.HasField("completed_at")
    listed = (await _list(running_server, team.observer)).executions
    assert [(execution.id, execution.stdout) for execution in listed] == [(ended.id, "")]


async def test_executions_are_paged_newest_first_and_filtered(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    one = await an_approved_runbook(running_server.sessions, team)
    two = await an_approved_runbook(running_server.sessions, team)
    ids = [(await _execute(running_server, team.responder, one)).execution.id for _ in range(5)]
    other = (await _execute(running_server, team.responder, two)).execution.id
    await _cancel(running_server, team.responder, other)
    seen: list[str] = []
    token = ""
    while True:
        page = await _list(running_server, team.observer, page_size=2, page_token=token)
        seen += [execution.id for execution in page.executions]
        token = page.next_page_token
        if not token:
            break
    assert seen == [other, *reversed(ids)]
    cancelled = await _list(running_server, team.observer, status=execution_pb2.EXECUTION_STATUS_CANCELLED)
    assert [execution.id for execution in cancelled.executions] == [other]
    assert len((await _list(running_server, team.observer, runbook_id=str(one.id))).executions) == 5
    stranger = (await a_team(running_server.sessions)).author
    assert not (await _list(running_server, stranger)).executions
    admin = await a_person(running_server.sessions, platform_admin=True)
    assert len((await _list(running_server, admin)).executions) == 6


async def test_a_page_token_is_good_for_its_own_filters_alone(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    for _ in range(2):
        await _execute(running_server, team.responder, runbook)
    token = (await _list(running_server, team.observer, page_size=1)).next_page_token
    invalid = Refusal(grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID", ("page_token",))
    for fields in ({"runbook_id": str(runbook.id)}, {"status": execution_pb2.EXECUTION_STATUS_PENDING}):
        assert await refusal_of(_list(running_server, team.observer, page_token=token, **fields)) == invalid
    tampered = ("A" if token[0] != "A" else "B") + token[1:]
    assert await refusal_of(_list(running_server, team.observer, page_token=tampered)) == invalid


async def test_what_nobody_has_taken_is_cancelled_at_once_and_again_changes_nothing(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    event = await _execute(running_server, team.responder, runbook)
    first = await _cancel(running_server, team.responder, event.execution.id)
    assert first.status == execution_pb2.EXECUTION_STATUS_CANCELLED
    before = await running_server.everything_stored()
    assert await _cancel(running_server, team.responder, event.execution.id) == first
    assert await running_server.everything_stored() == before


async def test_the_executor_of_what_runs_is_told_to_cancel_it(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    event = await _execute(running_server, team.responder, runbook)
    executor = ScriptedExecutor(running_server, event.execution.id)
    await executor.claim()
    async with running_server.platform.redis.pubsub() as heard:
        await heard.subscribe(cancel_channel("scripted"))
        await heard.get_message(timeout=5)
        asked = await _cancel(running_server, team.responder, event.execution.id)
        message = await heard.get_message(timeout=5)
    assert message is not None
    assert message["data"] == event.execution.id.encode()
    assert asked.status == execution_pb2.EXECUTION_STATUS_RUNNING
    assert asked.HasField("cancel_requested_at")
    await executor.finish()
    assert await refusal_of(_cancel(running_server, team.responder, event.execution.id)) == ENDED


async def test_what_forbids_a_second_execution_has_one_at_a_time(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    content = VersionContent("true", ScriptLanguage.BASH, concurrency=ConcurrencyPolicy.FORBID)
    runbook = await an_approved_runbook(running_server.sessions, team, content)

    async def outcome() -> str:
        try:
            return (await _execute(running_server, team.responder, runbook)).execution.id
        except grpc.aio.AioRpcError as error:
            return error.code().name

    outcomes = await asyncio.gather(*(outcome() for _ in range(20)))
    (running,) = [found for found in outcomes if found != "FAILED_PRECONDITION"]
    request = pb.ExecuteRequest(runbook_id=str(runbook.id))
    refused = await stream_refusal_of(running_server.runbooks.Execute(request, metadata=team.responder.metadata))
    assert (refused.reason, refused.metadata) == ("ALREADY_RUNNING", {"execution_id": running})
    await _cancel(running_server, team.responder, running)
    assert UUID((await _execute(running_server, team.responder, runbook)).execution.id)


async def test_what_queues_runs_one_after_the_other_in_order(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    content = VersionContent("true", ScriptLanguage.BASH, concurrency=ConcurrencyPolicy.QUEUE)
    runbook = await an_approved_runbook(running_server.sessions, team, content)
    ids = [(await _execute(running_server, team.responder, runbook)).execution.id for _ in range(3)]

    async def claimable() -> list[str]:
        async def claimed(execution_id: str) -> bool:
            async with transaction(running_server.sessions) as tx:
                return (
                    await lifecycle.claim(tx.session, UUID(execution_id), "e", lease=timedelta(minutes=1)) is not None
                )

        claims = await asyncio.gather(*(claimed(execution_id) for execution_id in reversed(ids)))
        return [execution_id for execution_id, won in zip(reversed(ids), claims, strict=True) if won]

    for expected in ids:
        assert await claimable() == [expected]
        assert await claimable() == []
        async with transaction(running_server.sessions) as tx:
            done = {"status": "COMPLETED", "lease_expires_at": None}
            await tx.session.execute(update(executions).where(executions.c.id == UUID(expected)).values(done))


async def test_the_next_in_line_is_rung_for_at_once_when_the_one_before_is_cancelled(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    content = VersionContent("true", ScriptLanguage.BASH, concurrency=ConcurrencyPolicy.QUEUE)
    runbook = await an_approved_runbook(running_server.sessions, team, content)
    first, second, third = [(await _execute(running_server, team.responder, runbook)).execution.id for _ in range(3)]
    redis = running_server.platform.redis
    await redis.delete("oncall:executions")
    await _cancel(running_server, team.responder, second)
    assert first.encode() in (await redis.lrange("oncall:executions", 0, -1))[0]  # again: it may be what holds up all
    await redis.delete("oncall:executions")
    await _cancel(running_server, team.responder, first)
    (ring,) = await redis.lrange("oncall:executions", 0, -1)
    assert third.encode() in ring


async def test_an_observer_may_watch_and_neither_execute_nor_cancel(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    event = await _execute(running_server, team.responder, runbook)
    denied = Refusal(grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING")
    assert await refusal_of(_cancel(running_server, team.observer, event.execution.id)) == denied
    stranger = (await a_team(running_server.sessions)).author
    assert (await refusal_of(_get(running_server, stranger, event.execution.id))).reason == "NOT_FOUND"
    assert (await refusal_of(_cancel(running_server, stranger, event.execution.id))).reason == "NOT_FOUND"
