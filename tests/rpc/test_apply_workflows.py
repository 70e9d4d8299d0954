"""Workflows as files against a real server: applied, applied again, exported, applied once more."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.builders import TeamWithPeople
from tests.rpc.conftest import RunningServer
from tests.rpc.workflow_files import Desk, a_desk


@pytest.fixture
async def desk(running_server: RunningServer, team: TeamWithPeople, tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_desk(running_server, team, tmp_path) as made:
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


async def test_a_dry_run_says_all_that_the_server_would_and_stores_nothing(desk: Desk) -> None:
    bad = desk.file("bad", **{"incident.title": "incidents.title", "to_node: tell": "to_node: ask"})
    good = desk.file("good")
    before = await desk.server.everything_stored()
    ended = await desk.gives(desk.team.author, "workflow", "apply", str(desk.folder), "--dry-run")
    assert ended.code == 1
    assert f"{bad}:10: nodes[0].approval.question: there is no `incidents` here" in ended.err
    assert "circle" in ended.err
    assert str(good) not in ended.err
    assert b": created: version" not in ended.out
    told = await desk.gives(desk.team.author, "workflow", "apply", str(desk.folder), "--dry-run", "--json")
    items = {item["name"]: item for item in json.loads(told.out)["workflows"]}
    assert told.code == 1
    assert [(name, item["done"], bool(item["error"])) for name, item in sorted(items.items())] == [
        ("bad", [], True),
        ("good", [], False),
    ]
    bad.unlink()
    assert "good.yaml): create\n" in await desk.says("workflow", "apply", str(desk.folder), "--dry-run")
    assert await desk.server.everything_stored() == before
    await desk.applies("--yes")
    desk.file("good", **{"incident.title": "incidents.title"})
    stored = await desk.server.everything_stored()
    wrong = await desk.gives(desk.team.author, "workflow", "apply", str(desk.folder), "--dry-run")
    assert wrong.code == 1
    assert "there is no `incidents` here" in wrong.err
    assert await desk.server.everything_stored() == stored


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
