"""A run as it goes on, live, to any number of watchers, whatever is lost on the way."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from cli.launcher.embedded_redis import EmbeddedRedis
from kernel.database import transaction
from oncall.v1 import workflow_service_pb2
from server.storage import teams
from tests.builders import TeamWithPeople, a_team
from tests.conftest import away
from tests.rpc.conftest import Refusal, RunningServer, a_server, refusal_of
from tests.waiting import eventually
from tests.workflows import (
    WorkflowDesk,
    approval,
    delay,
    edge,
    jobs_of,
    statuses,
)


@pytest.fixture
def workflows(running_server: RunningServer, team: TeamWithPeople) -> WorkflowDesk:
    return WorkflowDesk(running_server, team)


async def test_watching_a_run_shows_every_state_until_it_has_ended(workflows: WorkflowDesk) -> None:
    workflow = await workflows.creates([approval("ask"), delay("go")], edge("ask", "go"))
    started = await workflows.runs(workflow)
    request = workflow_service_pb2.WatchWorkflowRunRequest(workflow_run_id=started.id)
    metadata = workflows.team.observer.metadata
    streams = [workflows.workflows.WatchWorkflowRun(request, metadata=metadata) for _ in range(3)]
    seen: list[list[dict[str, str]]] = [[] for _ in streams]

    async def watch(number: int) -> None:
        async for answer in streams[number]:
            seen[number].append(statuses(answer.workflow_run))

    watching = [asyncio.create_task(watch(number)) for number in range(3)]
    async with jobs_of(workflows.server):
        await workflows.until(started.id, lambda run: statuses(run)["ask"] == "WAITING")
        await workflows.decides(started.id, "ask")
        async with asyncio.timeout(20):
            await asyncio.gather(*watching)
    for states in seen:
        assert states[-1] == {"ask": "SUCCEEDED", "go": "SUCCEEDED"}
        assert {"ask": "SUCCEEDED", "go": "RUNNING"} in states

    async def nobody_is_read() -> bool:
        return workflows.server.platform.run_watches.followed == 0

    await eventually(nobody_is_read)


async def test_a_change_that_redis_did_not_tell_is_seen(database_url: str, own_redis: EmbeddedRedis) -> None:
    async with a_server(database_url, own_redis.url) as server:
        workflows = WorkflowDesk(server, await a_team(server.sessions))
        started = await workflows.runs(await workflows.creates([approval("ask")]))
        request = workflow_service_pb2.WatchWorkflowRunRequest(workflow_run_id=started.id)
        stream = workflows.workflows.WatchWorkflowRun(request, metadata=workflows.team.observer.metadata)
        states = aiter(stream)
        assert statuses((await anext(states)).workflow_run) == {"ask": "PENDING"}
        with away(own_redis):
            await workflows.moves(started.id)
            async with asyncio.timeout(20):
                assert statuses((await anext(states)).workflow_run) == {"ask": "WAITING"}
        server.platform.run_watches.stop()
        refused = await refusal_of(anext(states))
        assert refused == Refusal(grpc.StatusCode.UNAVAILABLE, "SERVER_STOPPING")


async def test_whoever_is_taken_out_of_the_team_watches_its_runs_no_more(workflows: WorkflowDesk) -> None:
    team = workflows.team
    started = await workflows.runs(await workflows.creates([approval("ask")]))
    request = workflow_service_pb2.WatchWorkflowRunRequest(workflow_run_id=started.id)
    stream = workflows.workflows.WatchWorkflowRun(request, metadata=team.observer.metadata)
    assert await stream.read()
    async with transaction(workflows.server.sessions) as tx:
        await teams.remove_member(tx.session, team.id, team.observer.id)

    async def goes_on() -> None:
        while await stream.read() is not grpc.aio.EOF:
            pass

    async with asyncio.timeout(20):
        assert await refusal_of(goes_on()) == Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
