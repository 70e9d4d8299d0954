"""The command as somebody at a terminal meets it: questions, interrupts, colours, and output that may be hostile."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel.execution.content import ScriptLanguage, VersionContent
from tests.builders import TeamWithPeople, a_draft_runbook, an_approved_runbook
from tests.rpc.conftest import RunningServer
from tests.rpc.scripted_executor import ScriptedExecutor
from tests.rpc.shell import Shell, Terminal
from tests.waiting import eventually


@pytest.fixture
def author(running_server: RunningServer, team: TeamWithPeople, tmp_path: Path) -> Shell:
    return Shell(tmp_path, running_server.address, team.author)


@pytest.fixture
def reviewer(running_server: RunningServer, team: TeamWithPeople, tmp_path: Path) -> Shell:
    return Shell(tmp_path, running_server.address, team.reviewer)


async def the_executor(server: RunningServer, terminal: Terminal) -> ScriptedExecutor:
    await terminal.sees(b"waits for an executor")
    executor = ScriptedExecutor(server, terminal.screen.partition(b"execution ")[2].split()[0].decode())
    await executor.claim()
    await terminal.sees(b"running on scripted")
    return executor


async def test_an_interrupt_asks_and_going_on_loses_nothing(
    running_server: RunningServer, team: TeamWithPeople, author: Shell
) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    async with author.on_terminal("run", runbook.name) as terminal:
        executor = await the_executor(running_server, terminal)
        await executor.say(b"one\n")
        await terminal.sees(b"one")
        terminal.interrupts()
        await terminal.sees(b"[d]etach")
        await executor.say(b"while the question stood\n")
        terminal.types("\n")
        await terminal.sees(b"while the question stood")
        await executor.finish(exit_code=4)
        assert await terminal.ended() == 4
        assert terminal.screen.count(b"one") == 1


async def test_an_interrupt_may_cancel(running_server: RunningServer, team: TeamWithPeople, author: Shell) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    async with author.on_terminal("run", runbook.name) as terminal:
        await terminal.sees(b"waits for an executor")
        terminal.interrupts()
        await terminal.sees(b"[c]ancel")
        terminal.types("c\n")
        assert await terminal.ended() == 130
        await terminal.sees(b"cancelled")


async def test_a_second_interrupt_detaches(running_server: RunningServer, team: TeamWithPeople, author: Shell) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    async with author.on_terminal("run", runbook.name) as terminal:
        await terminal.sees(b"waits for an executor")
        terminal.interrupts()
        await terminal.sees(b"[c]ancel")
        terminal.interrupts()
        assert await terminal.ended() == 130
        await terminal.sees(b"oncall watch ")


async def test_a_script_may_colour_the_terminal_and_nothing_else(
    running_server: RunningServer, team: TeamWithPeople, author: Shell
) -> None:
    runbook = await an_approved_runbook(running_server.sessions, team)
    async with author.on_terminal("run", runbook.name) as terminal:
        executor = await the_executor(running_server, terminal)
        await executor.say(b"\x1b[31mred\x1b]0;ti", b"tle\x07 \x1b[2Jon \xc3", b"\xa4\n")
        await executor.finish()
        assert await terminal.ended() == 0
        await terminal.sees("\x1b[31mred on ä".encode())
        assert b"title" not in terminal.screen
        assert b"\x1b[2J" not in terminal.screen


async def test_what_wants_to_be_confirmed_asks(
    running_server: RunningServer, team: TeamWithPeople, author: Shell
) -> None:
    content = VersionContent("true", ScriptLanguage.BASH, requires_confirm=True)
    runbook = await an_approved_runbook(running_server.sessions, team, content)
    refused = await author("run", runbook.name)
    assert (refused.code, "--confirm" in refused.err) == (1, True)
    async with author.on_terminal("run", runbook.name) as terminal:
        await terminal.sees(b"[y/N]")
        terminal.types("n\n")
        assert await terminal.ended() == 1
        assert b"nothing was run" in terminal.screen


async def test_a_reviewer_reads_all_of_the_script_before_approving_it(
    running_server: RunningServer, team: TeamWithPeople, author: Shell, reviewer: Shell
) -> None:
    script = "echo harmless\n" + "x" * 300 + "; echo beyond-the-edge\n# \u202edetrever\u202c \x1b[8mhidden\n"
    runbook = await a_draft_runbook(running_server.sessions, team, VersionContent(script, ScriptLanguage.BASH))
    assert (await author("runbook", "submit", runbook.name)).code == 0
    async with reviewer.on_terminal("runbook", "approve", runbook.name) as terminal:
        await terminal.sees(b"[y/N]")
        screen = terminal.screen.decode()
        assert "beyond-the-edge" in screen
        assert "<U+202E>" in screen
        assert "\u202e" not in screen
        assert "\x1b[8m" not in screen
        terminal.types("y\n")
        assert await terminal.ended() == 0


async def test_tables_have_colours_on_a_terminal_alone(
    running_server: RunningServer, team: TeamWithPeople, author: Shell
) -> None:
    await an_approved_runbook(running_server.sessions, team, name="a-rather-long-name-" + "x" * 80)
    piped = await author("runbook", "list")
    assert b"\x1b" not in piped.out
    assert len(piped.out.splitlines()) == 2
    async with author.on_terminal("runbook", "list") as terminal:
        assert await terminal.ended() == 0
        await terminal.sees(b"\x1b[32mAPPROVED")
    author._environment["NO_COLOR"] = "1"
    async with author.on_terminal("runbook", "list") as terminal:
        assert await terminal.ended() == 0

        async def shown() -> bool:
            return b"APPROVED" in terminal.screen

        await eventually(shown)
        assert b"\x1b[32m" not in terminal.screen
