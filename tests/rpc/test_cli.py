"""The command as people start it, a process of its own, against a real server."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import random
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kernel.execution.content import ScriptLanguage, VersionContent
from tests.builders import TeamWithPeople, an_approved_runbook
from tests.executors import an_executor, settings_of
from tests.rpc.conftest import RunningServer
from tests.rpc.cutting_proxy import a_cutting_proxy
from tests.rpc.scripted_executor import ScriptedExecutor
from tests.rpc.shell import SECONDS, Ended, Shell


@pytest.fixture
async def executor(database_url: str, redis_url: str) -> AsyncIterator[None]:
    async with an_executor(settings_of(database_url, redis_url)):
        yield


@pytest.fixture
def author(running_server: RunningServer, team: TeamWithPeople, tmp_path: Path) -> Shell:
    return Shell(tmp_path, running_server.address, team.author)


@pytest.fixture
def reviewer(running_server: RunningServer, team: TeamWithPeople, tmp_path: Path) -> Shell:
    return Shell(tmp_path, running_server.address, team.reviewer)


async def test_logging_in_stores_a_token_that_the_server_knows(
    running_server: RunningServer, team: TeamWithPeople, tmp_path: Path
) -> None:
    shell = Shell(tmp_path, running_server.address)
    refused = await shell("whoami")
    assert (refused.code, refused.out) == (2, b"")
    assert "oncall login" in refused.err

    done = await shell("login", stdin=team.author.token + "\n")
    path = tmp_path / ".config/oncall/credentials.json"
    assert (done.code, stat.S_IMODE(path.stat().st_mode)) == (0, 0o600)
    assert b"team admin" in done.out

    who = await shell("whoami", "--json")
    assert json.loads(who.out)["user"]["id"] == str(team.author.id)
    assert team.author.token not in (done.out + who.out).decode() + done.err + who.err

    assert (await shell("logout")).code == 0
    assert not path.exists()


async def test_a_bad_token_is_not_stored(running_server: RunningServer, tmp_path: Path) -> None:
    refused = await Shell(tmp_path, running_server.address)("login", stdin="oct_AAAAAAAA_wrong\n")
    assert refused.code == 1
    assert "oct_AAAAAAAA_wrong" not in refused.err
    assert not (tmp_path / ".config/oncall/credentials.json").exists()


async def test_a_runbook_is_written_reviewed_by_another_and_run(
    author: Shell, reviewer: Shell, executor: None, tmp_path: Path
) -> None:
    script = tmp_path / "greet.sh"
    script.write_text('#!/bin/bash\necho "hello $PARAM_NAME"\necho oops >&2\nexit $PARAM_CODE\n')
    parameters = ("-p", "name:string:required", "-p", "code:integer:default=0")
    created = await author("runbook", "create", "greet", "--script", str(script), *parameters)
    assert created.code == 0, created.err
    assert (await author("runbook", "submit", "greet")).code == 0

    own = await author("runbook", "show", "greet", "--json")
    shown = json.loads(own.out)
    digest = shown["version"]["digest"]
    assert shown["version"]["script"] == script.read_text()
    selfish = await author("runbook", "approve", "greet", "--version", "1", "--digest", digest)
    assert (selfish.code, "SELF_APPROVAL" in selfish.err) == (1, True)
    unread = await reviewer("runbook", "approve", "greet", "--version", "1")
    assert (unread.code, "--digest" in unread.err) == (2, True)
    approved = await reviewer("runbook", "approve", "greet", "--version", "1", "--digest", digest)
    assert approved.code == 0, approved.err

    listed = await author("runbook", "list", "--status", "approved")
    assert b"greet" in listed.out
    ran = await author("run", "greet", "-p", "name=world", "-p", "code=7", "--quiet")
    assert ran == Ended(7, b"hello world\n", "oops\n")
    history = json.loads((await author("executions", "--runbook", "greet", "--json")).out)["executions"]
    assert [execution["exit_code"] for execution in history] == [7]
    again = await author("watch", history[0]["id"], "--quiet")
    assert again == ran
    detail = await author("execution", history[0]["id"])
    assert b"hello world" in detail.out


async def test_a_runbook_is_revised_compared_rejected_rolled_back_and_retired(
    author: Shell, reviewer: Shell, running_server: RunningServer, team: TeamWithPeople, tmp_path: Path
) -> None:
    name = (await an_approved_runbook(running_server.sessions, team)).name
    revise = ("runbook", "revise", name, "--script", "-", "--language", "bash")
    assert (await author(*revise, stdin="echo changed\n")).code == 0
    shown = await author("runbook", "diff", name)
    assert b"-echo hello\n+echo changed\n" in shown.out
    assert (await author("runbook", "submit", name)).code == 0
    assert (await author("runbook", "withdraw", name)).code == 0
    assert (await author("runbook", "submit", name)).code == 0
    digest = json.loads((await reviewer("runbook", "show", name, "-V", "2", "--json")).out)["version"]["digest"]
    approved = await reviewer("runbook", "approve", name, "--digest", digest)
    assert approved.code == 0, approved.err

    assert (await author(*revise, stdin="rm -rf /\n")).code == 0
    assert (await author("runbook", "submit", name)).code == 0
    digest = json.loads((await reviewer("runbook", "show", name, "-V", "3", "--json")).out)["version"]["digest"]
    rejected = await reviewer("runbook", "reject", name, "--digest", digest, "--comment", "never")
    assert rejected.code == 0, rejected.err
    listed = json.loads((await author("runbook", "versions", name, "--json")).out)["versions"]
    assert [(v["version"], v["status"].rpartition("_")[2]) for v in listed] == [
        (3, "REJECTED"), (2, "APPROVED"), (1, "APPROVED"),
    ]  # fmt: skip

    assert (await author("runbook", "rollback", name, "--version", "1")).code == 0
    refused = await author("runbook", "rollback", name, "--version", "3")
    assert (refused.code, "VERSION_NOT_APPROVED" in refused.err) == (1, True)
    assert (await author("runbook", "update", name, "--name", "renamed", "--description", "why")).code == 0
    for verb, status in (("deprecate", b"deprecated"), ("archive", b"archived"), ("restore", b"approved")):
        assert (await author("runbook", verb, "renamed")).out == b"renamed is " + status + b"\n"
    runbook = json.loads((await author("runbook", "show", "renamed", "--json")).out)["runbook"]
    assert (runbook["current_version"], runbook["description"]) == (1, "why")


async def test_json_holds_every_byte_of_the_output(
    author: Shell, running_server: RunningServer, team: TeamWithPeople, executor: None
) -> None:
    script = "import os\nos.write(1, bytes(range(256)))"
    await author("runbook", "create", "bytes", "--script", "-", "--language", "python", stdin=script)
    shown = json.loads((await author("runbook", "show", "bytes", "--json")).out)
    await author("runbook", "submit", "bytes")
    reviewer = Shell(Path("/nowhere"), running_server.address, team.reviewer)
    await reviewer("runbook", "approve", "bytes", "--digest", shown["version"]["digest"])
    events = [json.loads(line) for line in (await author("run", "bytes", "--json")).out.splitlines()]
    data = [base64.b64decode(event["output"]["data"]) for event in events if "output" in event]
    assert b"".join(data) == bytes(range(256))
    assert (await author("run", "bytes", "--quiet")).out == bytes(range(256))


async def test_an_interrupt_without_a_terminal_detaches_and_says_how_to_go_on(
    author: Shell, running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    process = await author.start("run", str(runbook.id), "--json")
    assert process.stdout is not None
    async with asyncio.timeout(SECONDS):
        first = json.loads(await process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    execution_id = first["execution"]["id"]
    assert process.returncode == 130
    assert f"oncall watch {execution_id} --after 1" in err.decode()

    executor = ScriptedExecutor(running_server, execution_id)
    await executor.claim()
    await executor.say(b"rest")
    await executor.finish()
    assert (await author("watch", execution_id, "--after", "1", "--quiet")).out == b"rest"


async def test_the_output_is_whole_over_connections_cut_at_random(
    running_server: RunningServer, team: TeamWithPeople, executor: None, tmp_path: Path
) -> None:
    script = "for n in $(seq 150); do echo line $n; sleep 0.01; done"
    runbook = await an_approved_runbook(running_server.sessions, team, VersionContent(script, ScriptLanguage.BASH))
    chance = random.Random(4)  # noqa: S311 - repeatable, not secret
    budgets = itertools.chain([3000], (chance.randrange(2500) for _ in range(8)))
    async with a_cutting_proxy(running_server.address, budgets) as proxy:
        ran = await Shell(tmp_path, proxy.address, team.responder)("run", runbook.name)
    assert proxy.cuts >= 5
    assert (ran.code, ran.out.decode()) == (0, "".join(f"line {n}\n" for n in range(1, 151)))
    assert "the connection is back; nothing was missed" in ran.err


async def test_cancelling_waits_for_the_end(author: Shell, running_server: RunningServer, team: TeamWithPeople) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    execution_id = (await author("run", runbook.name, "--detach")).out.decode().strip()
    cancelled = await author("cancel", execution_id, "--wait")
    assert (cancelled.code, "cancelled" in cancelled.err) == (0, True)
    assert (await author("watch", execution_id)).code == 130


async def test_output_that_nobody_reads_any_more_ends_the_command_and_not_the_script(
    author: Shell, running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    process = await author.start("run", runbook.name, "--json")
    assert process.stdout is not None
    async with asyncio.timeout(SECONDS):
        first = json.loads(await process.stdout.readline())
        process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined] # as `head` does
        executor = ScriptedExecutor(running_server, first["execution"]["id"])
        await executor.claim()
        assert await process.wait() == 141
        assert process.stderr is not None
        err = (await process.stderr.read()).decode()
    assert "nobody reads the output" in err
    assert "Traceback" not in err


async def test_a_server_that_is_not_there_is_one_sentence(
    team: TeamWithPeople, tmp_path: Path, unused_tcp_port: int
) -> None:
    gone = await Shell(tmp_path, f"127.0.0.1:{unused_tcp_port}", team.author)("executions")
    assert gone.code == 3
    assert gone.err.startswith(f"oncall: cannot reach the server at 127.0.0.1:{unused_tcp_port}")
    assert len(gone.err.splitlines()) == 1


async def test_help_is_there_at_once_and_has_examples(author: Shell) -> None:
    for verb in ("login", "runbook create", "run", "watch", "cancel", "executions"):
        shown = await author(*verb.split(), "--help")
        assert shown.code == 0
        assert b"\n    oncall " in shown.out, verb
