"""The asyncio client against a real server, over connections that break."""

from __future__ import annotations

import hashlib
import random
from contextlib import aclosing

import grpc
import pytest

from kernel.execution.content import VersionContent
from oncall.client import Client, OncallError
from oncall.errors import FieldViolation
from oncall.v1 import execution_pb2
from oncall.v1.execution_pb2 import ExecutionEvent
from oncall.v1.runbook_service_pb2 import GetRunbookRequest, ListExecutionsRequest, ListRunbooksRequest
from oncall.v1.team_service_pb2 import GetCallerRequest
from tests.builders import TeamWithPeople, an_approved_runbook
from tests.executors import an_executor, settings_of
from tests.rpc.conftest import RunningServer, a_server
from tests.rpc.cutting_proxy import a_cutting_proxy
from tests.rpc.scripted_executor import ScriptedExecutor

LINES = 150
SCRIPT = f"for n in $(seq {LINES}); do printf 'line %s ä€😀\\n' $n; sleep 0.01; done"
OUTPUT = "".join(f"line {n} ä€😀\n" for n in range(1, LINES + 1)).encode()


async def a_runbook(server: RunningServer, team: TeamWithPeople, script: str = SCRIPT) -> str:
    return str((await an_approved_runbook(server.sessions, team, VersionContent(script, "BASH"))).id)


def joined(events: list[ExecutionEvent]) -> bytes:
    return b"".join(event.output.data for event in events if event.HasField("output"))


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_is_lost_or_repeated_over_connections_cut_at_random(
    running_server: RunningServer, team: TeamWithPeople, database_url: str, redis_url: str, seed: int
) -> None:
    runbook_id = await a_runbook(running_server, team)
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    budgets = (chance.randrange(3000) for _ in range(12))
    async with (
        an_executor(settings_of(database_url, redis_url)),
        a_cutting_proxy(running_server.address, budgets) as proxy,
        Client(proxy.address, token=team.responder.token) as client,
    ):
        events = [event async for event in client.execute(runbook_id)]
    executions = await running_server.runbooks.ListExecutions(
        ListExecutionsRequest(runbook_id=runbook_id), metadata=team.responder.metadata
    )

    last = events[-1].execution
    assert proxy.cuts >= 5
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert joined(events) == OUTPUT
    assert last.stdout_sha256 == hashlib.sha256(OUTPUT).hexdigest()
    assert [execution.id for execution in executions.executions] == [last.id]


async def test_a_server_that_is_replaced_in_the_middle_is_not_noticed(
    running_server: RunningServer, team: TeamWithPeople, database_url: str, redis_url: str
) -> None:
    runbook_id = await a_runbook(running_server, team)
    async with (
        a_cutting_proxy("", iter(())) as proxy,
        Client(proxy.address, token=team.responder.token) as client,
    ):
        async with a_server(database_url, redis_url) as old:
            proxy.upstream = old.address
            log = client.execute(runbook_id)
            events = [await anext(log)]
            executor = ScriptedExecutor(running_server, events[0].execution.id)
            await executor.claim()
            await executor.say(b"before ")
            events += [await anext(log), await anext(log)]
        proxy.upstream = running_server.address
        await executor.say(b"after")
        await executor.finish()
        events += [event async for event in log]
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5]
    assert joined(events) == b"before after"


async def test_leaving_the_iteration_leaves_the_execution_alone(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook_id = await a_runbook(running_server, team)
    async with Client(running_server.address, token=team.responder.token) as client:
        async with aclosing(client.execute(runbook_id)) as log:
            first = await anext(log)
        executor = ScriptedExecutor(running_server, first.execution.id)
        await executor.claim()
        await executor.say(b"still here")
        await executor.finish()
        rest = [event async for event in client.watch(first.execution.id, after_sequence=1)]
        assert joined(rest) == b"still here"
        assert rest[-1].execution.status == execution_pb2.EXECUTION_STATUS_COMPLETED
        assert [event async for event in client.watch(first.execution.id, after_sequence=rest[-1].sequence)] == []


async def test_the_same_request_id_finds_the_same_execution(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook_id = await a_runbook(running_server, team)
    async with Client(running_server.address, token=team.responder.token) as client:
        found = set()
        for _ in range(2):
            async with aclosing(client.execute(runbook_id, request_id="once")) as log:
                found.add((await anext(log)).execution.id)
    assert len(found) == 1


async def test_a_refusal_carries_code_reason_and_every_violation(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    async with Client(running_server.address, token=team.responder.token) as client:
        with pytest.raises(OncallError) as missing:
            await client.runbooks.GetRunbook(GetRunbookRequest(runbook_id=str(team.id)))
        with pytest.raises(OncallError) as wrong:
            await client.runbooks.ListRunbooks(ListRunbooksRequest(page_size=-1))
        runbook_id = await a_runbook(running_server, team)
        with pytest.raises(OncallError) as unknown:
            _ = [event async for event in client.execute(runbook_id, {"a": 1, "b": True})]
    assert (missing.value.code, missing.value.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    assert wrong.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert isinstance(wrong.value.violations[0], FieldViolation)
    assert wrong.value.violations[0].field == "page_size"
    assert {violation.field for violation in unknown.value.violations} == {"parameters.a", "parameters.b"}


async def test_a_bad_token_is_refused_and_shown_nowhere(running_server: RunningServer) -> None:
    token = "oct_AAAAAAAA_not-a-good-one"
    async with Client(running_server.address, token=token) as client:
        with pytest.raises(OncallError) as refused:
            await client.teams.GetCaller(GetCallerRequest())
        assert refused.value.code is grpc.StatusCode.UNAUTHENTICATED
        assert token not in repr(client) + repr(refused.value) + str(refused.value) + repr(refused.value.__cause__)


def test_a_token_that_cannot_be_sent_is_refused_without_being_repeated() -> None:
    with pytest.raises(ValueError, match="printable") as refused:
        Client("127.0.0.1:1", token="secret\n")
    assert "secret" not in str(refused.value)


async def test_patience_ends(unused_tcp_port: int) -> None:
    async with Client(f"127.0.0.1:{unused_tcp_port}", token="oct_x", patience=0.3) as client:
        with pytest.raises(OncallError) as lost:
            _ = [event async for event in client.watch("0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e")]
    assert lost.value.code is grpc.StatusCode.UNAVAILABLE
