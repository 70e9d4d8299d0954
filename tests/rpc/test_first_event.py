"""Who executes a runbook is shown the first event without the log being read: it must be the one that is stored."""

from __future__ import annotations

from typing import Any

import pytest

from kernel.ids import new_id
from oncall.v1 import execution_pb2
from oncall.v1 import runbook_service_pb2 as pb
from tests.builders import TeamWithPeople, an_approved_runbook
from tests.rpc.conftest import CALL_SECONDS, RunningServer
from tests.rpc.scripted_executor import ScriptedExecutor
from tests.statements import noted

Events = list[execution_pb2.ExecutionEvent]


@pytest.fixture
async def executed(running_server: RunningServer, team: TeamWithPeople) -> Any:
    """A stream of Execute from which nothing has been read."""
    runbook = await an_approved_runbook(running_server.sessions, team)
    request = pb.ExecuteRequest(runbook_id=str(runbook.id))
    stream = running_server.runbooks.Execute(request, metadata=team.responder.metadata, timeout=CALL_SECONDS)
    return aiter(stream)


async def read_to_the_end(stream: Any) -> Events:
    return [answer.event async for answer in stream]


async def watched(server: RunningServer, team: TeamWithPeople, execution_id: str) -> Events:
    request = pb.WatchExecutionRequest(execution_id=execution_id)
    stream = server.runbooks.WatchExecution(request, metadata=team.observer.metadata, timeout=CALL_SECONDS)
    return await read_to_the_end(stream)


@pytest.mark.parametrize("publish", [True, False])
async def test_who_executes_sees_the_very_events_that_are_stored(
    executed: Any, running_server: RunningServer, team: TeamWithPeople, publish: bool
) -> None:
    """Also where everything happens before a subscription stands, or Redis tells of nothing."""
    first = (await anext(executed)).event
    executor = ScriptedExecutor(running_server, first.execution.id)
    await executor.claim(publish=publish)
    await executor.say(b"a line\n", publish=publish)
    await executor.finish(publish=publish)

    seen = [first, *await read_to_the_end(executed)]

    assert [event.sequence for event in seen] == [1, 2, 3, 4]
    assert seen == await watched(running_server, team, first.execution.id)


async def test_who_joins_an_execution_that_began_with_its_first_event_sees_the_same(
    executed: Any, running_server: RunningServer, team: TeamWithPeople
) -> None:
    first = (await anext(executed)).event
    request = pb.WatchExecutionRequest(execution_id=first.execution.id)
    joined = aiter(
        running_server.runbooks.WatchExecution(request, metadata=team.observer.metadata, timeout=CALL_SECONDS)
    )
    joined_first = (await anext(joined)).event
    executor = ScriptedExecutor(running_server, first.execution.id)
    await executor.claim()
    await executor.finish()

    assert joined_first == first
    assert await read_to_the_end(joined) == await read_to_the_end(executed)


async def test_two_statements_stand_between_a_call_and_its_first_event(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    """Who calls and the runbook are one read; the execution, its audit and its request id are one write."""
    runbook = await an_approved_runbook(running_server.sessions, team)
    for _ in range(2):  # the first notes when the token was used last
        request = pb.ExecuteRequest(runbook_id=str(runbook.id), request_id=str(new_id()))
        sent: list[str] = []
        with noted(running_server.platform.engine, sent.append):
            stream = running_server.runbooks.Execute(request, metadata=team.responder.metadata, timeout=CALL_SECONDS)
            first = await anext(aiter(stream))
        stream.cancel()
        assert first.event.sequence == 1
    about_it = [statement for statement in sent if "api_tokens" in statement or "runbook" in statement]
    assert [statement.split()[0] for statement in about_it] == ["SELECT", "WITH"]
