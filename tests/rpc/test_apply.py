"""Runbooks as files against a real server: applied, applied again, exported, applied once more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from oncall.v1 import runbook_service_pb2 as rpc
from oncall.v1.runbook_pb2 import PARAMETER_TYPE_STRING, Runbook, RunbookVersion
from oncall.v1.team_pb2 import Service
from oncall.v1.team_service_pb2 import CreateServiceRequest
from tests.builders import TeamWithPeople
from tests.rpc.conftest import RunningServer
from tests.rpc.shell import Shell
from tests.unit.cli.as_code.runbook.runbooks import versions
from tests.unit.cli.as_code.texts import texts

SCRIPT = "#!/bin/bash\necho hello\n"
YAML = """\
oncall: runbook/v1
name: {name}
description: {description}
language: bash
script_file: hello.sh
parameters:
  - name: host
    type: string
    default: web-1
limits:
  memory_bytes: 64MiB
"""


@pytest.fixture
def author(running_server: RunningServer, team: TeamWithPeople, tmp_path: Path) -> Shell:
    return Shell(tmp_path, running_server.address, team.author)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "runbooks"
    folder.mkdir()
    (folder / "hello.sh").write_text(SCRIPT)
    a_file(folder, "hello")
    return folder


def a_file(folder: Path, name: str, description: str = "Says hello.", more: str = "") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(YAML.format(name=name, description=description) + more)
    return path


async def applied(shell: Shell, *arguments: str | Path) -> dict[str, Any]:
    """Answers what an apply did, by runbook; it must have succeeded."""
    ran = await shell("runbook", "apply", *map(str, arguments), "--json")
    assert (ran.code, ran.err) == (0, "")
    return {runbook["name"]: runbook for runbook in json.loads(ran.out)["runbooks"]}


async def test_a_file_is_created_then_unchanged_then_changed_only_where_it_differs(author: Shell, folder: Path) -> None:
    first = await applied(author, folder, "--yes")
    assert (first["hello"]["done"], first["hello"]["version"]) == (["created"], 1)
    assert "+echo hello" in first["hello"]["diff"]

    assert (await applied(author, folder))["hello"]["changes"] == []
    told = await author("runbook", "apply", str(folder))
    assert (told.code, b"hello (" in told.out, b"unchanged\n" in told.out) == (0, True, True)

    a_file(folder, "hello", more="change_note: only a note\n")
    assert (await applied(author, folder))["hello"]["changes"] == []

    (folder / "hello.sh").write_text(SCRIPT + "echo again\n")
    changed = (await applied(author, folder, "--yes"))["hello"]
    assert (changed["changes"], changed["version"]) == (["new version"], 2)
    assert [line for line in changed["diff"].splitlines() if line.startswith(("+", "-"))][2:] == ["+echo again"]
    assert (await applied(author, folder))["hello"]["changes"] == []


async def test_what_is_not_part_of_a_version_changes_without_one(
    author: Shell, folder: Path, running_server: RunningServer, team: TeamWithPeople
) -> None:
    await applied(author, folder, "--yes")
    service = Service(team_id=str(team.id), name="web shop")
    await running_server.teams.CreateService(CreateServiceRequest(service=service), metadata=team.author.metadata)
    a_file(folder, "hello", "Greets.", "service: web shop\n")
    changed = (await applied(author, folder, "--yes"))["hello"]
    assert (changed["changes"], changed["version"]) == (["update description, service_id"], 1)
    assert "-description: Says hello." in changed["diff"]
    assert "+service: web shop" in changed["diff"]
    shown = json.loads((await author("runbook", "show", "hello", "--json")).out)
    assert (shown["runbook"]["description"], shown["version"]["version"]) == ("Greets.", 1)
    assert shown["runbook"]["service_id"]
    assert (await applied(author, folder))["hello"]["changes"] == []


async def test_a_dry_run_shows_and_changes_nothing(author: Shell, folder: Path, running_server: RunningServer) -> None:
    before = await running_server.everything_stored()
    shown = await author("runbook", "apply", str(folder), "--dry-run", "--submit")
    assert (shown.code, shown.err) == (0, "")
    assert b"hello.yaml): create, submit\n" in shown.out
    assert b"\n+echo hello\n" in shown.out
    assert await running_server.everything_stored() == before


async def test_nothing_is_done_where_nobody_can_be_asked_or_any_file_is_wrong(
    author: Shell, folder: Path, running_server: RunningServer
) -> None:
    before = await running_server.everything_stored()
    unasked = await author("runbook", "apply", str(folder))
    assert (unasked.code, "--yes" in unasked.err) == (2, True)

    a_file(folder, "other", more="timeout: 10\n")
    wrong = await author("runbook", "apply", str(folder), "--yes")
    assert (wrong.code, wrong.out) == (2, b"")
    assert f"{folder}/other.yaml:12: timeout: is not known: do you mean timeout_seconds?" in wrong.err

    a_file(folder, "other", more="service: nowhere\n")
    unknown = await author("runbook", "apply", str(folder), "--yes")
    assert (unknown.code, unknown.out) == (2, b"")
    assert "other.yaml:12: service: the team has no service nowhere: it has none" in unknown.err
    assert await running_server.everything_stored() == before


async def test_on_a_terminal_it_asks(author: Shell, folder: Path) -> None:
    async with author.on_terminal("runbook", "apply", str(folder)) as terminal:
        await terminal.sees(b"Change 1 runbook?")
        assert b"+echo hello" in terminal.screen
        terminal.types("n\n")
        assert await terminal.ended() == 2
    async with author.on_terminal("runbook", "apply", str(folder)) as terminal:
        await terminal.sees(b"Change 1 runbook?")
        terminal.types("y\n")
        assert await terminal.ended() == 0
    assert (await applied(author, folder))["hello"]["changes"] == []


async def test_submitting_is_done_once_and_a_rejected_version_is_not_written_again(
    author: Shell, folder: Path, running_server: RunningServer, team: TeamWithPeople
) -> None:
    await applied(author, folder, "--yes")
    submitted = (await applied(author, folder, "--yes", "--submit"))["hello"]
    assert submitted["done"] == ["submitted"]
    assert (await applied(author, folder, "--submit"))["hello"]["changes"] == []

    request = rpc.RejectRunbookRequest(
        runbook_id=submitted["runbook_id"], version=1, digest=submitted["digest"], comment="No."
    )
    await running_server.runbooks.RejectRunbook(request, metadata=team.reviewer.metadata)
    rejected = (await applied(author, folder, "--submit"))["hello"]
    assert (rejected["changes"], rejected["remark"]) == ([], "version 1 was rejected: it has to change")
    (folder / "hello.sh").write_text("echo better\n")
    better = (await applied(author, folder, "--submit", "--yes"))["hello"]
    assert (better["done"], better["version"]) == (["new version", "submitted"], 2)


async def test_what_the_server_refuses_names_the_line_and_does_not_hold_up_the_rest(
    author: Shell, folder: Path
) -> None:
    a_file(folder, "bad", more="  cpus: 1\n").write_text(
        YAML.format(name="bad", description="x").replace("default: web-1", "pattern: '(?=x)'")
    )
    a_file(folder, "zebra")
    refused = await author("runbook", "apply", str(folder), "--yes")
    assert refused.code == 1
    assert f"{folder}/bad.yaml:9: parameters[0].pattern: must be a regular expression of the RE2 syntax" in refused.err
    assert b"hello: created: version 1\nzebra: created: version 1\n" in refused.out
    (folder / "bad.yaml").unlink()
    assert [runbook["changes"] for runbook in (await applied(author, folder)).values()] == [[], []]


async def test_an_apply_that_was_cut_off_is_finished_by_the_next(
    author: Shell, folder: Path, running_server: RunningServer, team: TeamWithPeople, tmp_path: Path
) -> None:
    for number in range(6):
        a_file(folder, f"n{number}")
    process = await author.start("runbook", "apply", str(folder), "--yes", "--submit")
    assert process.stdout is not None
    while not (await process.stdout.readline()).startswith(b"n1: created"):
        pass
    process.kill()
    await process.communicate()

    rest = await applied(author, folder, "--yes", "--submit")
    assert rest["n0"]["changes"] == []
    assert all(runbook["version"] == 1 for runbook in rest.values())
    assert all(runbook["changes"] == [] for runbook in (await applied(author, folder, "--submit")).values())


async def test_a_server_that_is_away_is_exit_code_3(
    team: TeamWithPeople, folder: Path, tmp_path: Path, unused_tcp_port: int
) -> None:
    gone = await Shell(tmp_path, f"127.0.0.1:{unused_tcp_port}", team.author)(
        "runbook", "apply", str(folder), "--yes", "--team", str(team.id)
    )
    assert gone.code == 3


async def test_whatever_is_exported_applies_as_unchanged(
    author: Shell, running_server: RunningServer, team: TeamWithPeople, tmp_path: Path
) -> None:
    generated = some_versions(40)
    assert len(generated) >= 30
    for number, (version, description) in enumerate(generated):
        runbook = Runbook(team_id=str(team.id), name=f"r.{number}", description=description)
        request = rpc.CreateRunbookRequest(runbook=runbook, version=version)
        await running_server.runbooks.CreateRunbook(request, metadata=team.author.metadata)
    folder = tmp_path / "exported"
    exported = json.loads((await author("runbook", "export", "--all", "--to", str(folder), "--json")).out)
    assert len(exported["written"]) == 2 * len(generated) + 1
    stored = await running_server.everything_stored()

    found = await applied(author, folder, "--yes")
    assert len(found) == len(generated)
    assert [runbook["diff"] for runbook in found.values() if runbook["changes"]] == []
    assert await running_server.everything_stored() == stored

    again = json.loads((await author("runbook", "export", "--all", "--to", str(folder), "--json")).out)
    assert again["written"] == []


async def test_an_export_keeps_what_people_wrote_unless_told_otherwise(author: Shell, folder: Path) -> None:
    await applied(author, folder, "--yes")
    by_hand = "# why: see the postmortem\n" + (folder / "hello.yaml").read_text()
    (folder / "hello.yaml").write_text(by_hand)
    kept = await author("runbook", "export", "hello", "--to", str(folder))
    assert kept.code == 2, "the team is named in the export and not in the file"
    assert "hello.yaml" in kept.err
    assert (folder / "hello.yaml").read_text() == by_hand

    replaced = await author("runbook", "export", "hello", "--to", str(folder), "--overwrite")
    assert replaced.code == 0
    first = (folder / "hello.yaml").read_text()
    assert first.startswith("# yaml-language-server: $schema=runbook.schema.json\noncall: runbook/v1\nname: hello\n")
    assert (folder / "hello.sh").read_text() == SCRIPT
    (folder / "hello.yaml").write_text(f"# a comment\n{first}")
    assert (await author("runbook", "export", "hello", "--to", str(folder))).code == 0
    assert (folder / "hello.yaml").read_text() == f"# a comment\n{first}"


def some_versions(count: int) -> list[tuple[RunbookVersion, str]]:
    """Answers generated runbooks, the same ones each time, as a server takes them."""
    found: list[tuple[RunbookVersion, str]] = []

    @seed(3)
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(versions(), texts | st.just("Two lines:\n  the second."))
    def collect(version: RunbookVersion, description: str) -> None:
        del version.secret_names[:]
        for parameter in version.parameters:
            if parameter.type != PARAMETER_TYPE_STRING:
                parameter.max_length = 0
        found.append((version, description))

    collect()
    return found
