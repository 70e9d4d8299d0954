"""The verbs for workflows against a real server: runs started, followed, decided, and listed with their incident."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.builders import TeamWithPeople
from tests.executors import an_executor, settings_of
from tests.rpc.conftest import RunningServer
from tests.rpc.shell import Shell
from tests.rpc.workflow_files import Desk, a_desk
from tests.workflows import jobs_of, status, statuses


@pytest.fixture
async def desk(running_server: RunningServer, team: TeamWithPeople, tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_desk(running_server, team, tmp_path) as made:
        yield made


async def test_workflows_are_listed_switched_and_deleted(desk: Desk) -> None:
    desk.file()
    await desk.applies("--yes")
    assert "incident created" in await desk.says("workflow", "list", "--event", "incident-created")
    assert (await desk.json("workflow", "list", "--event", "manual"))["workflows"] == []
    await desk.says("workflow", "disable", "careful")
    assert await desk.says("workflow", "enable", "careful") == "careful is enabled\n"
    assert "--yes" in await desk.refused("workflow", "delete", "careful", code=2)
    assert await desk.says("workflow", "delete", "careful", "--yes") == "deleted careful\n"
    assert "you can see no workflow 'careful'" in await desk.refused("workflow", "show", "careful")


async def test_a_run_is_started_decided_watched_and_listed_with_its_incident(
    desk: Desk, database_url: str, redis_url: str
) -> None:
    desk.file()
    await desk.applies("--yes")
    incident = await desk.behind.an_incident(title="Pages are slow")
    responder, reviewer = desk.team.responder, desk.team.reviewer
    async with jobs_of(desk.server), an_executor(settings_of(database_url, redis_url)):
        started = await desk.says("workflow", "run", "careful", "--incident", "Pages are slow", by=responder)
        run_id = started.strip()
        await desk.behind.until(run_id, lambda run: statuses(run)["ask"] == "WAITING")
        waiting = await desk.says("workflow", "status", run_id)
        assert "Do it for Pages are slow?" in waiting
        responder_is = [line.split() for line in waiting.splitlines() if line.startswith("started by")]
        assert responder_is == [["started", "by", *(await desk.name_of(responder)).split()]]
        assert f"oncall workflow approve {run_id} ask" in waiting
        own = await desk.refused("workflow", "approve", run_id, "ask", by=responder)
        assert "somebody else" in own
        assert "--yes" in await desk.refused("workflow", "approve", run_id, code=2, by=reviewer)
        said = await desk.says("workflow", "approve", run_id, "--yes", "--comment", "Seen.", by=reviewer)
        assert said.startswith("approved ask; ")
        watched = await desk.gives(desk.team.observer, "workflow", "watch", run_id)
    assert (watched.code, "oncall: completed after " in watched.err) == (0, True)
    words = [line.split() for line in watched.out.decode().splitlines()]
    ends = [tuple(word for word in line if word in {"ask", "do", "tell", "SUCCEEDED", "SKIPPED"}) for line in words]
    assert {("ask", "SUCCEEDED"), ("do", "SUCCEEDED"), ("tell", "SKIPPED")} <= set(ends)
    assert "\x1b" not in watched.out.decode()
    assert "nothing of this run waits" in await desk.refused("workflow", "approve", run_id, by=reviewer)

    shown = await desk.says("incident", "show", incident.id)
    assert f"by {await desk.name_of(responder)}\n  We are looking into it." in shown
    assert shown.index("runs of workflows") < shown.index(run_id) < shown.index("executions")
    assert desk.runbook in shown
    found = await desk.json("incident", "show", incident.id)
    assert [run["id"] for run in found["workflow_runs"]] == [run_id]
    assert [execution["workflow_run_id"] for execution in found["executions"]] == [run_id]
    listed = ("workflow", "runs", "--incident", incident.id, "--workflow", "careful", "--status", "completed")
    assert run_id in await desk.says(*listed)
    assert (await desk.json("workflow", "runs", "--status", "failed"))["workflow_runs"] == []


async def test_how_a_run_ended_is_the_exit_code(desk: Desk) -> None:
    desk.file()
    await desk.applies("--yes")
    incident = await desk.behind.an_incident()
    by = desk.team.responder
    async with jobs_of(desk.server):
        refused, cancelled = [
            (await desk.says("workflow", "run", "careful", "-i", incident.id, by=by)).strip() for _ in range(2)
        ]
        for run_id in (refused, cancelled):
            await desk.behind.until(run_id, lambda run: statuses(run)["ask"] == "WAITING")
        await desk.says("workflow", "reject", refused, "ask", "-c", "Not now.", by=desk.team.reviewer)
        asked = await desk.gives(by, "workflow", "cancel", cancelled)
        assert (asked.code, "workflow watch" in asked.err or "cancelled" in asked.err) == (0, True)
        failed = await desk.gives(by, "workflow", "watch", refused)
        ended = await desk.gives(by, "workflow", "watch", cancelled, "--json")
    assert (failed.code, "oncall: failed" in failed.err) == (70, True)
    assert "Not now." in failed.out.decode()
    snapshots = [json.loads(line) for line in ended.out.decode().splitlines()]
    assert (ended.code, snapshots[-1]["status"]) == (130, "WORKFLOW_RUN_STATUS_CANCELLED")
    assert "RUN_ENDED" in await desk.refused("workflow", "cancel", cancelled, by=by)
    assert "NOT_FOUND" in await desk.refused("workflow", "watch", incident.id, by=by)


async def test_what_a_run_did_is_undone_by_somebody_elses_word(desk: Desk, database_url: str, redis_url: str) -> None:
    undo = f"compensation:\n  runbook:\n    name: {desk.runbook}\nedges:"
    around = {"from_node: ask": "from_node: do", "to_node: do\n  - from_node: do": "to_node: ask\n  - from_node: ask"}
    desk.file(**{"edges:": undo, **around})
    await desk.applies("--yes")
    incident = await desk.behind.an_incident()
    responder, reviewer = desk.team.responder, desk.team.reviewer
    async with jobs_of(desk.server), an_executor(settings_of(database_url, redis_url)):
        started = await desk.says("workflow", "run", "careful", "-i", incident.id, by=responder)
        run_id = started.strip()
        await desk.behind.until(run_id, lambda run: statuses(run)["ask"] == "WAITING")
        await desk.says("workflow", "cancel", run_id, "--json", by=responder)
        await desk.behind.ended(run_id)
        cancelled = await desk.gives(responder, "workflow", "watch", run_id)
        assert (cancelled.code, "--compensation`" in cancelled.err) == (130, True)
        await desk.says("workflow", "approve", run_id, "--compensation", by=reviewer)
        await desk.behind.until(run_id, lambda run: run.compensation.execution_id)
        undone = await desk.gives(responder, "workflow", "watch", run_id)
    assert [line.split()[1:3] for line in undone.out.decode().splitlines()][-1] == ["(compensation)", "SUCCEEDED"]


async def test_on_a_terminal_a_run_is_shown_live_in_colours_and_leaving_leaves_it_running(
    desk: Desk, tmp_path: Path
) -> None:
    desk.file()
    await desk.applies("--yes")
    incident = await desk.behind.an_incident()
    shell = Shell(tmp_path, desk.server.address, desk.team.responder)
    async with jobs_of(desk.server):
        arguments = ("workflow", "run", "careful", "--incident", incident.id, "--watch")
        async with shell.on_terminal(*arguments) as terminal:
            await terminal.sees(b"WAITING")
            assert b"\x1b[33mWAITING" in terminal.screen
            terminal.interrupts()
            await terminal.sees(b"detached; it goes on: `oncall workflow watch ")
            assert await terminal.ended() == 130
        (run,) = await desk.behind.runs_of(incident_id=incident.id)
        assert status(run) == "RUNNING"

        watching = await Shell(tmp_path, desk.server.address, desk.team.observer).start("workflow", "watch", run.id)
        assert watching.stdout is not None
        async with asyncio.timeout(20):
            assert b"WAITING" in await watching.stdout.readline()
        await desk.says("workflow", "reject", run.id, "ask", by=desk.team.reviewer)
        async with asyncio.timeout(20):
            rest, _ = await watching.communicate()
    assert (b"FAILED" in rest, watching.returncode) == (True, 70)


async def test_an_incident_that_gets_worse_is_told_by_command(desk: Desk) -> None:
    incident = await desk.behind.an_incident()
    await desk.says("incident", "update", incident.id, "-s", "sev1", "-m", "Worse.")
    assert (await desk.json("incident", "show", incident.id))["severity"] == "INCIDENT_SEVERITY_SEV1"
