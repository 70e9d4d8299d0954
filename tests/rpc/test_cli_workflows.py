"""The verbs for workflows against a real server: files applied and exported, runs started, followed and decided."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from oncall.v1.notification_pb2 import CHANNEL_KIND_WEBHOOK, NotificationChannel
from oncall.v1.notification_service_pb2 import CreateNotificationChannelRequest
from oncall.v1.notification_service_pb2_grpc import NotificationServiceStub
from tests.builders import Person, TeamWithPeople, an_approved_runbook
from tests.executors import an_executor, settings_of
from tests.rpc.commands import Commands, commands
from tests.rpc.conftest import RunningServer
from tests.rpc.shell import Ended, Shell
from tests.workflows import WorkflowDesk, jobs_of, status, statuses

YAML = """\
oncall: workflow/v1
name: "{name}"
description: Asks, then does it.
trigger:
  event: incident_created
  condition: incident.severity == "SEV1"
nodes:
  - name: ask
    approval:
      question: Do it for {{{{ incident.title }}}}?
  - name: do
    runbook:
      name: {runbook}
  - name: tell
    notify:
      channels: [night shift]
      subject: Done
edges:
  - from_node: ask
    to_node: do
  - from_node: do
    to_node: tell
    on: failure
"""


class Desk:
    """A team with a runbook and a channel, whose people give commands."""

    def __init__(self, run: Commands, server: RunningServer, team: TeamWithPeople, folder: Path) -> None:
        self._run, self.server, self.team, self.folder = run, server, team, folder
        self.behind = WorkflowDesk(server, team)
        self.runbook = ""

    async def equips(self) -> None:
        """Gives the team what its workflow names."""
        self.runbook = (await an_approved_runbook(self.server.sessions, self.team)).name
        channel = NotificationChannel(
            team_id=str(self.team.id),
            name="night shift",
            kind=CHANNEL_KIND_WEBHOOK,
            target="https://example.org/hook",
            enabled=True,
        )
        request = CreateNotificationChannelRequest(channel=channel)
        stub = NotificationServiceStub(self.server.channel)
        await stub.CreateNotificationChannel(request, metadata=self.team.author.metadata)

    def file(self, name: str = "careful", **replaced: str) -> Path:
        """Writes a workflow's file, with other words for some of it."""
        text = YAML.format(name=name, runbook=self.runbook)
        for before, after in replaced.items():
            assert before in text
            text = text.replace(before, after)
        path = self.folder / f"{name}.yaml"
        path.write_text(text)
        return path

    async def gives(self, person: Person, *arguments: str) -> Ended:
        return await self._run(person, *arguments)

    async def says(self, *arguments: str, by: Person | None = None) -> str:
        """Gives a command, as an admin of the team if nobody is named; answers what it prints."""
        ended = await self._run(by or self.team.author, *arguments)
        assert ended.code == 0, (arguments, ended.err)
        return ended.out.decode()

    async def refused(self, *arguments: str, code: int = 1, by: Person | None = None) -> str:
        ended = await self._run(by or self.team.author, *arguments)
        assert (ended.code, ended.out) == (code, b""), (arguments, ended)
        return ended.err

    async def json(self, *arguments: str) -> Any:
        return await self._run.json(self.team.author, *arguments)

    async def applies(self, *arguments: str) -> dict[str, Any]:
        """Answers what an apply did, by workflow."""
        done = await self.json("workflow", "apply", str(self.folder), *arguments)
        return {item["name"]: item for item in done["workflows"]}


@pytest.fixture
async def desk(running_server: RunningServer, team: TeamWithPeople, tmp_path: Path) -> AsyncIterator[Desk]:
    folder = tmp_path / "workflows"
    folder.mkdir()
    async with commands(running_server.address, tmp_path) as run:
        made = Desk(run, running_server, team, folder)
        await made.equips()
        yield made


async def test_a_file_is_created_then_unchanged_then_changed_only_where_it_differs(desk: Desk) -> None:
    desk.file()
    before = await desk.server.everything_stored()
    assert "careful.yaml): create\n" in await desk.says("workflow", "apply", str(desk.folder), "--dry-run")
    assert "--yes" in (await desk.gives(desk.team.author, "workflow", "apply", str(desk.folder))).err
    assert await desk.server.everything_stored() == before

    first = (await desk.applies("--yes"))["careful"]
    assert (first["done"], first["version"]) == (["created"], 1)
    assert "+  event: incident_created" in first["diff"]
    stored = await desk.server.everything_stored()
    assert (await desk.applies("--yes"))["careful"]["changes"] == []
    assert "careful.yaml): unchanged\n1 workflow: 1 unchanged\n" in await desk.says(
        "workflow", "apply", str(desk.folder)
    )
    assert await desk.server.everything_stored() == stored

    desk.file(**{"Done": "It is done", "Asks, then": "Asks; then"})
    changed = (await desk.applies("--yes"))["careful"]
    assert (changed["changes"], changed["done"]) == (["update description, nodes"], ["updated"])
    assert [line for line in changed["diff"].splitlines() if line.startswith(("+", "-"))][2:] == [
        "-description: Asks, then does it.",
        "+description: Asks; then does it.",
        "-      subject: Done",
        "+      subject: It is done",
    ]
    assert (await desk.applies())["careful"]["changes"] == []


async def test_names_are_resolved_and_what_the_team_has_not_is_pointed_at(desk: Desk) -> None:
    desk.file()
    workflow_id = (await desk.applies("--yes"))["careful"]["workflow_id"]
    found = await desk.json("workflow", "show", "careful")
    assert found["id"] == workflow_id
    assert len(found["nodes"][1]["runbook"]["runbook_id"]) == 36
    assert len(found["nodes"][2]["notify"]["channel_ids"][0]) == 36
    shown = await desk.says("workflow", "show", "careful")
    assert desk.runbook in shown
    assert "ask on success" in shown

    file = desk.file(**{"[night shift]": "[night shitf]", f"name: {desk.runbook}": "name: nothing"})
    wrong = await desk.refused("workflow", "apply", str(file), "--yes", code=2)
    assert f"{file}:13: nodes[1].runbook.name: the team has no runbook nothing" in wrong
    assert "careful.yaml:16: nodes[2].notify.channels[0]: the team has no channel night shitf: do you mean" in wrong


async def test_what_the_server_refuses_names_the_line_and_does_not_hold_up_the_rest(desk: Desk) -> None:
    bad = desk.file("bad", **{"incident.title": "incidents.title", "to_node: tell": "to_node: ask"})
    desk.file("good")
    ended = await desk.gives(desk.team.author, "workflow", "apply", str(desk.folder), "--yes")
    assert ended.code == 1
    assert f"{bad}:10: nodes[0].approval.question: there is no `incidents` here" in ended.err
    assert f"{bad}:" in ended.err
    assert b"good: created: version 1\n" in ended.out
    bad.unlink()
    assert (await desk.applies())["good"]["changes"] == []


async def test_what_somebody_disabled_stays_so_unless_a_file_says_otherwise(desk: Desk) -> None:
    desk.file()
    await desk.applies("--yes")
    assert await desk.says("workflow", "disable", "careful") == "careful is disabled\n"
    left = (await desk.applies("--yes"))["careful"]
    assert (left["changes"], left["remark"]) == ([], "it is disabled, and stays so")
    desk.file(Done="It is done")
    assert (await desk.applies("--yes"))["careful"]["changes"] == ["update nodes"]
    assert (await desk.json("workflow", "show", "careful"))["enabled"] is False
    desk.file(**{"description:": "enabled: true\ndescription:"})
    assert (await desk.applies("--yes"))["careful"]["changes"] == ["update enabled, nodes"]
    assert (await desk.json("workflow", "list"))["workflows"][0]["enabled"] is True


async def test_what_is_exported_applies_as_unchanged_and_is_left_alone_the_next_time(
    desk: Desk, tmp_path: Path
) -> None:
    desk.file("careful")
    desk.file("very careful: 2", **{"description:": "enabled: false\ndescription:"})
    await desk.applies("--yes")
    exported = tmp_path / "exported"
    written = await desk.json("workflow", "export", "--all", "--to", str(exported))
    assert written["written"] == ["careful.yaml", "very-careful-2.yaml", "workflow.schema.json"]
    text = (exported / "careful.yaml").read_text()
    assert f"      name: {desk.runbook}\n" in text
    assert "        - night shift\n" in text
    done = await desk.json("workflow", "apply", str(exported))
    assert [item["changes"] for item in done["workflows"]] == [[], []]
    assert (await desk.json("workflow", "export", "--all", "--to", str(exported)))["written"] == []


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
