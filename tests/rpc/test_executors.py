"""Who runs executions, as callers see it: states, pages, tables; and what waits for tags, and what was attempted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from sqlalchemy import func, update

from executor.registration import Offer, Registration
from executor.sandbox.survey import Layer
from kernel.database import transaction
from kernel.execution.content import ScriptLanguage, VersionContent
from kernel.tables import executions, executors
from oncall.v1 import executor_pb2, executor_service_pb2_grpc
from oncall.v1 import executor_service_pb2 as pb
from oncall.v1 import runbook_service_pb2 as runbook_pb
from tests.builders import TeamWithPeople, an_approved_runbook
from tests.rpc.conftest import Refusal, RunningServer, refusal_of
from tests.rpc.scripted_executor import ScriptedExecutor
from tests.rpc.shell import Shell

LAYERS = [Layer("network", True, "network namespace", ""), Layer("cpu", False, "", "delegate the cpu controller")]
TAGGED = VersionContent("true", ScriptLanguage.BASH, executor_tags=("eu", "gpu"))


async def known(server: RunningServer, name: str, tags: Sequence[str] = (), *, running: int = 0) -> Registration:
    lease = timedelta(minutes=1)
    offer = Offer(executor_id=name, tags=tuple(tags), concurrency=4, isolation=LAYERS, lease=lease)
    registration = Registration(server.sessions, offer, running=lambda: running)
    await registration.begin()
    return registration


async def listed(server: RunningServer, team: TeamWithPeople, **fields: object) -> pb.ListExecutorsResponse:
    stub = executor_service_pb2_grpc.ExecutorServiceStub(server.channel)
    request = pb.ListExecutorsRequest(**fields)  # type: ignore[arg-type]
    return await stub.ListExecutors(request, metadata=team.observer.metadata)


async def silent(server: RunningServer, name: str) -> None:
    async with transaction(server.sessions) as tx:
        past = {"lease_expires_at": func.now() - timedelta(seconds=1)}
        await tx.session.execute(update(executors).where(executors.c.id == name).values(past))


async def test_an_executor_is_shown_as_it_told_of_itself(running_server: RunningServer, team: TeamWithPeople) -> None:
    registration = await known(running_server, "e", ["eu", "gpu"], running=3)
    await registration.begin()
    (shown,) = (await listed(running_server, team)).executors
    assert (shown.id, list(shown.tags), shown.running, shown.concurrency) == ("e", ["eu", "gpu"], 3, 4)
    assert [(layer.name, layer.held) for layer in shown.isolation] == [("network", True), ("cpu", False)]
    assert shown.seen_at.ToDatetime() > shown.started_at.ToDatetime()


async def test_one_that_stops_says_so_and_one_that_is_silent_is_lost(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    for name in ("ready", "stopping", "lost"):
        registration = await known(running_server, name)
        if name == "stopping":
            await registration.stop()
    await silent(running_server, "lost")
    states = {shown.id: shown.state for shown in (await listed(running_server, team)).executors}
    assert states == {
        "ready": executor_pb2.EXECUTOR_STATE_READY,
        "stopping": executor_pb2.EXECUTOR_STATE_STOPPING,
        "lost": executor_pb2.EXECUTOR_STATE_LOST,
    }


async def test_pages_show_everyone_once_in_order(running_server: RunningServer, team: TeamWithPeople) -> None:
    names = [f"host-{number}" for number in range(5)]
    for name in reversed(names):
        await known(running_server, name)
    seen, token = [], ""
    for _ in range(3):
        page = await listed(running_server, team, page_size=2, page_token=token)
        seen += [shown.id for shown in page.executors]
        token = page.next_page_token
    assert (seen, token) == (names, "")


async def test_a_token_of_no_page_is_refused(running_server: RunningServer, team: TeamWithPeople) -> None:
    refused = await refusal_of(listed(running_server, team, page_token="aaaa"))
    assert refused == Refusal(grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID", ("page_token",))


@pytest.mark.parametrize(
    ("carried", "warned"), [((), True), (("eu",), True), (("arm", "eu", "gpu"), False)], ids=lambda case: str(case)
)
async def test_who_executes_hears_that_nobody_carries_the_tags_and_it_waits(
    running_server: RunningServer, team: TeamWithPeople, carried: tuple[str, ...], warned: bool
) -> None:
    await known(running_server, "e", carried)
    runbook = await an_approved_runbook(running_server.sessions, team, TAGGED)
    request = runbook_pb.ExecuteRequest(runbook_id=str(runbook.id))
    call = running_server.runbooks.Execute(request, metadata=team.responder.metadata)
    first = (await call.read()).event
    call.cancel()
    said = ["no executor with the tags eu, gpu is known; it waits"] if warned else []
    assert (first.sequence, list(first.warnings)) == (1, said)
    redis = running_server.platform.redis
    assert (await redis.llen("oncall:executions"), await redis.llen("oncall:executions:eu+gpu")) == (0, 1)


@pytest.mark.parametrize("how", ["silent", "stopping"])
async def test_an_executor_that_takes_no_work_is_nobody(
    running_server: RunningServer, team: TeamWithPeople, how: str
) -> None:
    registration = await known(running_server, "e", ("eu", "gpu"))
    await (registration.stop() if how == "stopping" else silent(running_server, "e"))
    runbook = await an_approved_runbook(running_server.sessions, team, TAGGED)
    request = runbook_pb.ExecuteRequest(runbook_id=str(runbook.id))
    call = running_server.runbooks.Execute(request, metadata=team.responder.metadata)
    assert (await call.read()).event.warnings
    call.cancel()


async def two_attempts(server: RunningServer, team: TeamWithPeople) -> str:
    """An execution that failed once and then completed; answers its id."""
    content = VersionContent("true", ScriptLanguage.BASH, max_retries=2)
    runbook = await an_approved_runbook(server.sessions, team, content)
    request = runbook_pb.ExecuteRequest(runbook_id=str(runbook.id))
    call = server.runbooks.Execute(request, metadata=team.responder.metadata)
    execution_id = (await call.read()).event.execution.id
    call.cancel()
    for exit_code in (7, 0):
        executor = ScriptedExecutor(server, execution_id)
        await executor.claim()
        await executor.say(b"x" * (exit_code + 1))
        await executor.finish(exit_code)
        async with transaction(server.sessions) as tx:
            await tx.session.execute(update(executions).values(run_after=func.now()))
    return execution_id


async def test_an_execution_is_got_with_its_attempts_and_listed_without(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    execution_id = await two_attempts(running_server, team)
    get = runbook_pb.GetExecutionRequest(execution_id=execution_id)
    got = (await running_server.runbooks.GetExecution(get, metadata=team.observer.metadata)).execution
    first, second = got.attempts
    assert (first.attempt, first.exit_code, first.stdout_size) == (1, 7, 8)
    assert (second.attempt, second.exit_code, second.stdout_size) == (2, 0, 1)
    assert (second.status, second.stdout_sha256) == (got.status, got.stdout_sha256)
    assert (second.ended_at, first.executor_id) == (got.completed_at, "scripted")
    assert first.ended_at.ToDatetime() <= second.started_at.ToDatetime()

    everything = runbook_pb.ListExecutionsRequest(team_id=str(team.id))
    (item,) = (await running_server.runbooks.ListExecutions(everything, metadata=team.observer.metadata)).executions
    watch = runbook_pb.WatchExecutionRequest(execution_id=execution_id)
    events = [
        answer.event async for answer in running_server.runbooks.WatchExecution(watch, metadata=team.observer.metadata)
    ]
    assert not item.attempts
    assert not any(event.execution.attempts for event in events)


async def test_people_see_executors_as_a_table_and_programs_as_json(
    running_server: RunningServer, team: TeamWithPeople, tmp_path: Path
) -> None:
    await known(running_server, "e", ["eu", "gpu"])
    observer = Shell(tmp_path, running_server.address, team.observer)
    table = (await observer("executors")).out.decode().splitlines()
    assert table[0].split() == ["HOST", "PID", "STATE", "TAGS", "RUNNING", "VERSION", "ISOLATION", "SEEN"]
    assert table[1].split()[2:6] == ["READY", "eu,", "gpu", "0/4"]
    assert "not cpu" in table[1]
    (shown,) = json.loads((await observer("executors", "--json")).out)["executors"]
    assert (shown["id"], shown["tags"], shown["state"]) == ("e", ["eu", "gpu"], "EXECUTOR_STATE_READY")


async def test_people_see_the_attempts_where_there_was_more_than_one(
    running_server: RunningServer, team: TeamWithPeople, tmp_path: Path
) -> None:
    observer = Shell(tmp_path, running_server.address, team.observer)
    shown = (await observer("execution", await two_attempts(running_server, team))).out.decode()
    rows = [line.split() for line in shown[shown.index("ATTEMPT") :].splitlines()]
    assert [row[:3] for row in rows[:3]] == [
        ["ATTEMPT", "STATUS", "EXIT"],
        ["1", "FAILED", "7"],
        ["2", "COMPLETED", "0"],
    ]
