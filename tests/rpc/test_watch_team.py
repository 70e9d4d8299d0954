"""What goes on in a team, live: what has not ended first, then what changes, to whom it may be shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import pytest
from sqlalchemy import func, update

from cli.launcher.embedded_redis import EmbeddedRedis
from kernel.database import transaction
from kernel.errors import NotFound, Unavailable
from kernel.ids import new_id
from kernel.team_stream import Thing, publish_change
from kernel.workflow_tables import workflow_runs
from oncall.v1 import execution_pb2, incident_pb2, incident_service_pb2, runbook_service_pb2, workflow_service_pb2
from oncall.v1 import team_service_pb2 as pb
from server.domain.permission import Call, Caller, Role
from server.operations import present_role, team_feed
from server.storage import teams
from tests.builders import Person, TeamWithPeople, a_team, an_approved_runbook
from tests.conftest import killed
from tests.executors import an_executor, settings_of
from tests.rpc.conftest import Refusal, RunningServer, a_server, as_refusal
from tests.waiting import eventually
from tests.workflows import WorkflowDesk, approval, jobs_of, status


class Watcher:
    """One who watches a team, and what they were told."""

    def __init__(self, server: RunningServer, team: TeamWithPeople, by: Person) -> None:
        self.told: list[pb.WatchTeamResponse] = []
        self._news = asyncio.Event()
        self._stream = server.teams.WatchTeam(pb.WatchTeamRequest(team_id=str(team.id)), metadata=by.metadata)
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for answer in self._stream:
            self.told.append(answer)
            self._news.set()

    async def until(self, holds: Callable[[pb.WatchTeamResponse], bool], *, within: float = 20) -> pb.WatchTeamResponse:
        """Waits until that holds of something that was told, before or now."""
        async with asyncio.timeout(within):
            while True:
                self._news.clear()
                if found := [answer for answer in self.told if holds(answer)]:
                    return found[0]
                if self.task.done():
                    self.task.result()
                    raise AssertionError("the stream ended")
                await self._news.wait()

    async def caught_up(self) -> list[str]:
        """Waits for that, and answers what kinds of things were told until then."""
        await self.until(lambda answer: answer.HasField("caught_up"))
        kinds = [str(answer.WhichOneof("change")) for answer in self.told]
        return kinds[: kinds.index("caught_up")]

    def leave(self) -> None:
        self._stream.cancel()


@asynccontextmanager
async def watching(server: RunningServer, team: TeamWithPeople, by: Person) -> AsyncIterator[Watcher]:
    watcher = Watcher(server, team, by)
    try:
        yield watcher
    finally:
        watcher.leave()
        await asyncio.wait([watcher.task])


@pytest.fixture
def workflows(running_server: RunningServer, team: TeamWithPeople) -> WorkflowDesk:
    return WorkflowDesk(running_server, team)


async def execute(server: RunningServer, team: TeamWithPeople) -> str:
    runbook = await an_approved_runbook(server.sessions, team)
    request = runbook_service_pb2.ExecuteRequest(runbook_id=str(runbook.id))
    stream = server.runbooks.Execute(request, metadata=team.responder.metadata)
    first = await anext(aiter(stream))
    stream.cancel()
    return str(first.event.execution.id)


def of_execution(execution_id: str, wanted: int) -> Callable[[pb.WatchTeamResponse], bool]:
    return lambda answer: answer.execution.id == execution_id and answer.execution.status == wanted


async def test_what_goes_on_is_told_first_and_then_what_changes(
    workflows: WorkflowDesk, team: TeamWithPeople, database_url: str, redis_url: str
) -> None:
    server = workflows.server
    incident = await workflows.an_incident()
    workflow = await workflows.creates([approval("ask")])
    run = await workflows.runs(workflow)
    execution_id = await execute(server, team)
    others = WorkflowDesk(server, await a_team(server.sessions))
    await others.an_incident()
    await execute(server, others.team)
    async with watching(server, team, team.responder) as watcher:
        assert sorted(await watcher.caught_up()) == ["execution", "incident", "workflow_run"]
        assert {answer.incident.id for answer in watcher.told if answer.HasField("incident")} == {incident.id}
        async with an_executor(settings_of(database_url, redis_url)), jobs_of(server):
            await watcher.until(of_execution(execution_id, execution_pb2.EXECUTION_STATUS_COMPLETED))
            second = await execute(server, team)
            await watcher.until(of_execution(second, execution_pb2.EXECUTION_STATUS_COMPLETED))
            await workflows.cancels(run.id)
            await watcher.until(
                lambda answer: answer.workflow_run.id == run.id and status(answer.workflow_run) == "CANCELLED"
            )
        resolve = incident_service_pb2.ResolveIncidentRequest(incident_id=incident.id)
        await workflows.incidents.ResolveIncident(resolve, metadata=team.responder.metadata)
        resolved = incident_pb2.INCIDENT_STATUS_RESOLVED
        await watcher.until(lambda answer: answer.incident.id == incident.id and answer.incident.status == resolved)
        assert {answer.execution.team_id for answer in watcher.told} <= {"", str(team.id)}

    async def nobody_is_read() -> bool:
        return server.platform.team_watches.followed == 0

    await eventually(nobody_is_read)


async def test_only_those_who_may_list_incidents_hear_of_them(workflows: WorkflowDesk, team: TeamWithPeople) -> None:
    await workflows.an_incident()
    async with (
        watching(workflows.server, team, team.observer) as observer,
        watching(workflows.server, team, team.responder) as responder,
    ):
        assert await observer.caught_up() == []
        assert await responder.caught_up() == ["incident"]
        second = await workflows.an_incident()
        await responder.until(lambda answer: answer.incident.id == second.id)
        execution_id = await execute(workflows.server, team)
        await observer.until(of_execution(execution_id, execution_pb2.EXECUTION_STATUS_PENDING))
        assert not any(answer.HasField("incident") for answer in observer.told)


async def test_all_who_watch_a_team_share_what_is_read(workflows: WorkflowDesk, team: TeamWithPeople) -> None:
    platform = workflows.server.platform
    async with (
        watching(workflows.server, team, team.observer) as one,
        watching(workflows.server, team, team.author) as two,
    ):
        await one.caught_up()
        await two.caught_up()
        assert platform.team_watches.followed == 1
        run = await workflows.runs(await workflows.creates([approval("ask")]))
        for watcher in (one, two):
            await watcher.until(lambda answer: answer.workflow_run.id == run.id)


async def test_whoever_is_taken_out_of_the_team_watches_it_no_more(
    workflows: WorkflowDesk, team: TeamWithPeople
) -> None:
    async with watching(workflows.server, team, team.observer) as watcher:
        await watcher.caught_up()
        async with transaction(workflows.server.sessions) as tx:
            await teams.remove_member(tx.session, team.id, team.observer.id)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            async with asyncio.timeout(20):
                await watcher.task
        assert as_refusal(ended.value) == Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_whoever_loses_a_role_hears_no_more_of_incidents(
    workflows: WorkflowDesk, team: TeamWithPeople, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(present_role, "CHECK_SECONDS", 0.2)
    async with watching(workflows.server, team, team.reviewer) as watcher:

        async def hears_of_incidents() -> bool:
            incident = await workflows.an_incident()
            execution_id = await execute(workflows.server, team)
            await watcher.until(lambda answer: answer.execution.id == execution_id)  # comes after the incident
            return any(answer.incident.id == incident.id for answer in watcher.told)

        await watcher.caught_up()
        assert await hears_of_incidents()
        async with transaction(workflows.server.sessions) as tx:
            await teams.set_member(tx.session, team.id, team.reviewer.id, Role.OBSERVER)

        async def no_more() -> bool:
            return not await hears_of_incidents()

        await eventually(no_more)


async def test_who_reads_slowly_is_asked_before_each_thing_whether_they_may(
    workflows: WorkflowDesk, team: TeamWithPeople, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(present_role, "CHECK_SECONDS", 0)
    for _ in range(3):
        await execute(workflows.server, team)
    call = Call("TeamService/WatchTeam", Caller(team.observer.id))
    stream = workflows.server.platform.team_watches.watch(call, team.id)
    try:
        assert await anext(stream) is not None  # and two more are there
        async with transaction(workflows.server.sessions) as tx:
            await teams.remove_member(tx.session, team.id, team.observer.id)
        with pytest.raises(NotFound):
            await anext(stream)
    finally:
        await stream.aclose()


async def test_who_does_not_read_at_all_has_to_begin_anew(
    workflows: WorkflowDesk, team: TeamWithPeople, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team_feed, "MOST_UNTOLD", 2)
    call = Call("TeamService/WatchTeam", Caller(team.observer.id))
    stream = workflows.server.platform.team_watches.watch(call, team.id)
    try:
        assert await anext(stream) is None  # nothing goes on, and then more than is held
        async with watching(workflows.server, team, team.observer) as watcher:
            for _ in range(3):
                execution_id = await execute(workflows.server, team)
                await watcher.until(of_execution(execution_id, execution_pb2.EXECUTION_STATUS_PENDING))
        async with watching(workflows.server, team, team.responder) as late:  # who hears of more than that at once
            assert await late.caught_up() == ["execution"] * 3
        with pytest.raises(Unavailable):
            _ = [seen async for seen in stream]
    finally:
        await stream.aclose()


async def test_what_redis_loses_is_found(database_url: str, own_redis: EmbeddedRedis) -> None:
    async with a_server(database_url, own_redis.url) as server:
        team = await a_team(server.sessions)
        workflows = WorkflowDesk(server, team)
        async with watching(server, team, team.responder) as watcher:
            await watcher.caught_up()
            killed(own_redis)
            incident = await workflows.an_incident()
            await watcher.until(lambda answer: answer.incident.id == incident.id)
            own_redis.start()


async def test_what_was_not_told_is_found_also_where_much_else_is(
    workflows: WorkflowDesk, team: TeamWithPeople
) -> None:
    """Whoever changed it died before they told of it, and the team is never quiet."""
    server = workflows.server
    started = await workflows.runs(await workflows.creates([approval("ask")]))

    async def talk() -> None:
        while True:
            await publish_change(server.platform.redis, team.id, Thing.EXECUTION, new_id())
            await asyncio.sleep(0.1)

    async def see_it_asked_to_end() -> None:
        request = workflow_service_pb2.WatchWorkflowRunRequest(workflow_run_id=started.id)
        async for answer in workflows.workflows.WatchWorkflowRun(request, metadata=team.observer.metadata):
            if answer.workflow_run.HasField("cancel_requested_at"):
                return

    async with watching(server, team, team.observer) as watcher:
        await watcher.caught_up()
        talking, seeing = asyncio.create_task(talk()), asyncio.create_task(see_it_asked_to_end())
        await eventually(lambda: _is_followed(server))
        async with transaction(server.sessions) as tx:
            changed = {"cancel_requested_at": func.now(), "revision": workflow_runs.c.revision + 1}
            await tx.session.execute(update(workflow_runs).values(changed))
        await watcher.until(lambda answer: answer.workflow_run.HasField("cancel_requested_at"))
        async with asyncio.timeout(20):
            await seeing
        talking.cancel()


async def _is_followed(server: RunningServer) -> bool:
    return server.platform.run_watches.followed == 1


async def test_streams_end_when_the_server_stops(database_url: str, redis_url: str) -> None:
    async with a_server(database_url, redis_url) as server:
        team = await a_team(server.sessions)
        watcher = Watcher(server, team, team.observer)
        await watcher.caught_up()
        server.platform.team_watches.stop()
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            async with asyncio.timeout(20):
                await watcher.task
        assert as_refusal(ended.value) == Refusal(grpc.StatusCode.UNAVAILABLE, "SERVER_STOPPING")
