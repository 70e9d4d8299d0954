"""A log that has expired is refused, and one that expires while it is shown never looks whole."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from sqlalchemy import delete, func, update

from kernel.database import transaction
from kernel.tables import execution_events
from kernel.tables import executions as executions_table
from oncall.client import Client, OncallError
from oncall.v1 import execution_pb2
from oncall.v1 import runbook_service_pb2 as pb
from server.domain.retention import Retention
from server.operations import log_pages, remove_expired
from server.operations.remove_expired import expire_logs, remove_expired_logs, remove_old_executions
from server.storage import executions
from tests.builders import TeamWithPeople, an_approved_runbook
from tests.expired import let_pass
from tests.rpc.conftest import Refusal, RunningServer, refusal_of, stream_refusal_of
from tests.rpc.shell import Shell
from tests.rpc.watched import Watched, a_watched_execution

EXPIRED = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "LOG_EXPIRED")
GONE = Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
RETENTION = Retention(timedelta(days=90), timedelta(days=400), None)
CHUNK = b"0123456789abcdef" * 4096


@pytest.fixture
async def watched(running_server: RunningServer, team: TeamWithPeople) -> Watched:
    return await a_watched_execution(running_server, team)


async def _ran(watched: Watched, *chunks: bytes) -> None:
    await watched.executor.claim()
    await watched.executor.say(*chunks)
    await watched.executor.finish()


async def _log_gone(watched: Watched, days: float = 91) -> None:
    await let_pass(watched.server.sessions, days, UUID(watched.id))
    assert await expire_logs(watched.server.sessions, RETENTION) == 1
    await remove_expired_logs(watched.server.sessions)


async def _get(watched: Watched) -> execution_pb2.Execution:
    request = pb.GetExecutionRequest(execution_id=watched.id)
    return (await watched.server.runbooks.GetExecution(request, metadata=watched._metadata)).execution


async def test_an_expired_log_is_refused_and_its_record_is_answered(watched: Watched) -> None:
    await _ran(watched, b"hello\n")
    before = await _get(watched)
    assert not before.HasField("log_expired_at")
    await let_pass(watched.server.sessions, 91)
    await expire_logs(watched.server.sessions, RETENTION)
    for after in (0, 1, 4, 2**62):  # marked, and not yet removed
        refused = await stream_refusal_of(watched.watch(after))
        assert (refused, refused.metadata) == (EXPIRED, {"execution_id": watched.id})
    await remove_expired_logs(watched.server.sessions)
    assert await stream_refusal_of(watched.watch()) == EXPIRED
    record = await _get(watched)
    assert (record.stdout, record.stdout_size, len(record.attempts)) == ("hello\n", 6, 1)
    assert record.HasField("log_expired_at")
    record.ClearField("log_expired_at")
    record.completed_at.CopyFrom(before.completed_at)
    assert record == before


async def test_an_execution_that_is_gone_is_not_found(watched: Watched) -> None:
    await _ran(watched, b"hello\n")
    await _log_gone(watched, days=401)
    assert await remove_old_executions(watched.server.sessions, RETENTION) == 1
    assert await stream_refusal_of(watched.watch()) == GONE
    assert await refusal_of(_get(watched)) == GONE


async def test_a_repeated_execute_of_what_is_not_kept_is_refused_and_runs_nothing(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    request = pb.ExecuteRequest(runbook_id=str(runbook.id), request_id="once")

    def execute() -> Any:
        return running_server.runbooks.Execute(request, metadata=team.responder.metadata)

    call = execute()
    watched = Watched(running_server, team, (await call.read()).event.execution.id)
    call.cancel()
    await _ran(watched, b"hello\n")
    await _log_gone(watched)
    refused = await stream_refusal_of(execute())
    assert (refused, refused.metadata) == (EXPIRED, {"execution_id": watched.id})
    await let_pass(running_server.sessions, 400)
    await remove_old_executions(running_server.sessions, RETENTION)
    assert await stream_refusal_of(execute()) == GONE
    assert (await running_server.everything_stored())["executions"] == []


async def _follow(watched: Watched, after: int = 0) -> Any:
    """As the RPC does, but one event at a time, without what gRPC reads ahead."""
    async with watched.server.sessions() as session:
        execution = await executions.find(session, UUID(watched.id))
    assert execution is not None
    return watched.server.platform.logs.follow(execution, after)


async def _reads_until_refused(events: Any) -> tuple[list[int], str]:
    seen = []
    try:
        async for event in events:
            seen.append(event.sequence)  # noqa: PERF401 - kept also where the stream breaks off
    except Exception as error:  # noqa: BLE001 - whatever it is, its reason is compared
        return seen, getattr(error, "reason", repr(error))
    return seen, ""


@pytest.mark.parametrize("removed_batches", [1, 2, 1000])
@pytest.mark.parametrize("live", [False, True])
async def test_a_log_that_is_removed_while_it_is_replayed_never_looks_whole(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, removed_batches: int, live: bool
) -> None:
    monkeypatch.setattr(remove_expired, "EVENTS_A_BATCH", 30)
    monkeypatch.setattr(remove_expired, "BATCHES_A_ROUND", removed_batches)
    monkeypatch.setattr(log_pages, "KEPT_BYTES", 0)  # what was read before is not there to be shown
    await watched.executor.claim()
    events = await _follow(watched) if live else None
    if events is not None:
        assert (await anext(events)).sequence == 1  # and from now on it does not keep up
    for _ in range(10):
        await watched.executor.say(*[CHUNK] * 20)
    await watched.executor.finish()
    if events is None:
        events = await _follow(watched)
        assert (await anext(events)).sequence == 1
    await _log_gone(watched)
    seen, reason = await _reads_until_refused(events)
    assert reason == "LOG_EXPIRED"
    assert seen == list(range(2, len(seen) + 2))
    assert len(seen) < 100


async def test_a_replay_that_is_ahead_of_the_removal_is_whole(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remove_expired, "EVENTS_A_BATCH", 5)
    monkeypatch.setattr(remove_expired, "BATCHES_A_ROUND", 1)
    monkeypatch.setattr(log_pages, "KEPT_BYTES", 0)
    await _ran(watched, *[CHUNK] * 50)
    events = await _follow(watched)
    seen = [(await anext(events)).sequence for _ in range(10)]
    await _log_gone(watched)
    rest, reason = await _reads_until_refused(events)
    assert (seen + rest, reason) == (list(range(1, 54)), "")


async def test_a_watcher_of_an_execution_that_goes_away_meanwhile_is_told(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_pages, "KEPT_BYTES", 0)
    await _ran(watched, *[CHUNK] * 50)
    events = await _follow(watched)
    await anext(events)
    await _log_gone(watched, days=401)
    await remove_old_executions(watched.server.sessions, RETENTION)
    assert (await _reads_until_refused(events))[1] == "NOT_FOUND"


async def _ends_expires_and_is_removed_at_once(watched: Watched, *, record_too: bool) -> None:
    """In one transaction, so that nobody can see the end and still have the log."""
    mine = executions_table.c.id == UUID(watched.id)
    gone = {"lease_expires_at": None, "completed_at": func.now(), "log_expired_at": func.now()}
    async with transaction(watched.server.sessions) as tx:
        await tx.session.execute(delete(execution_events).where(execution_events.c.execution_id == UUID(watched.id)))
        await tx.session.execute(update(executions_table).where(mine).values(status="CANCELLED", **gone))
        if record_too:
            await tx.session.execute(delete(executions_table).where(mine))


@pytest.mark.parametrize(("record_too", "reason"), [(False, "LOG_EXPIRED"), (True, "NOT_FOUND")])
async def test_a_live_watcher_that_never_heard_of_the_end_is_told(
    watched: Watched, record_too: bool, reason: str
) -> None:
    await watched.executor.claim()
    waiting = asyncio.create_task(_reads_until_refused(await _follow(watched, 2)))
    await watched.being_watched()
    await _ends_expires_and_is_removed_at_once(watched, record_too=record_too)
    async with asyncio.timeout(20):
        assert await waiting == ([], reason)


@pytest.mark.parametrize(("record_too", "reason"), [(False, "LOG_EXPIRED"), (True, "NOT_FOUND")])
async def test_what_ends_and_is_removed_before_it_is_first_asked_for_is_told(
    watched: Watched, record_too: bool, reason: str
) -> None:
    events = await _follow(watched)
    await _ends_expires_and_is_removed_at_once(watched, record_too=record_too)
    async with asyncio.timeout(20):
        assert await _reads_until_refused(events) == ([], reason)


async def test_the_client_does_not_try_again(watched: Watched, team: TeamWithPeople) -> None:
    await _ran(watched, b"hello\n")
    await _log_gone(watched)
    async with Client(watched.server.address, token=team.observer.token, patience=60) as client:
        async with asyncio.timeout(10):
            with pytest.raises(OncallError) as refused:
                await anext(client.watch(watched.id))
    assert (refused.value.reason, refused.value.is_transient) == ("LOG_EXPIRED", False)
    assert refused.value.metadata == {"execution_id": watched.id}


async def test_the_command_says_so_in_one_sentence_and_shows_what_is_kept(
    watched: Watched, team: TeamWithPeople, tmp_path: Path
) -> None:
    await _ran(watched, b"hello\n")
    await _log_gone(watched)
    shell = Shell(tmp_path, watched.server.address, team.observer)
    shown = await shell("watch", watched.id)
    assert (shown.code, shown.out) == (1, b"hello\n")
    first, last = shown.err.splitlines()
    assert first.startswith("oncall: the log of this execution expired ")
    assert first.endswith("; this is what is kept, the first and last parts of the last attempt's output:")
    assert last.startswith("oncall: completed")
    quiet = await shell("watch", watched.id, "--quiet")
    assert (quiet.code, quiet.out, quiet.err.splitlines()) == (1, b"hello\n", [first])
    rest = await shell("watch", watched.id, "--after", "2")
    assert (rest.code, rest.out) == (1, b"")
    assert f"`oncall execution {watched.id}` shows what is kept" in rest.err
    assert b"log expired" in (await shell("execution", watched.id)).out
    assert (await shell("watch", str(uuid4()))).code == 1
