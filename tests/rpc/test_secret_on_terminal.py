"""Secrets from a shell and at a terminal, against a real server: asked for without echo, deleted only once agreed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kernel.cipher import Cipher
from kernel.execution.content import ScriptLanguage, VersionContent
from kernel.secret_store import context_of, read_sealed
from tests.builders import MASTER_KEY, TeamWithPeople, an_approved_runbook
from tests.rpc.conftest import RunningServer
from tests.rpc.shell import Shell

VALUE = "correct horse battery staple"


@pytest.fixture
def author(running_server: RunningServer, team: TeamWithPeople, tmp_path: Path) -> Shell:
    return Shell(tmp_path, running_server.address, team.author)


async def _stored(server: RunningServer, team: TeamWithPeople, name: str) -> str:
    async with server.sessions() as session:
        sealed = await read_sealed(session, team.id, [name])
    return Cipher(MASTER_KEY).open(sealed[name], context_of(team.id, name)).decode()


async def test_a_value_typed_at_a_terminal_is_never_shown(
    running_server: RunningServer, team: TeamWithPeople, author: Shell
) -> None:
    async with author.on_terminal("secret", "put", "password") as terminal:
        await terminal.sees(b"Value of password: ")
        terminal.types(VALUE + "\n")
        assert await terminal.ended() == 0
        await terminal.sees(b"stored password")
        assert VALUE.encode() not in terminal.screen
    assert await _stored(running_server, team, "password") == VALUE


async def test_from_a_pipe_to_its_deletion(
    running_server: RunningServer, team: TeamWithPeople, author: Shell, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("-----BEGIN-----\n…\n")
    assert await author("secret", "put", "piped", stdin=VALUE + "\n") == (0, b"stored piped\n", "")
    assert await author("secret", "put", "from_file", "--file", str(tmp_path / "key")) == (0, b"stored from_file\n", "")
    assert await _stored(running_server, team, "piped") == VALUE
    assert await _stored(running_server, team, "from_file") == "-----BEGIN-----\n…\n"
    taken = await author("secret", "put", "PIPED", stdin=VALUE)
    assert (taken.code, "SECRET_NAME_TAKEN" in taken.err) == (1, True)
    listed = json.loads((await author("secret", "list", "--json")).out)["secrets"]
    assert [secret["name"] for secret in listed] == ["from_file", "piped"]
    content = VersionContent("true\n", ScriptLanguage.BASH, secret_names=("piped",))
    runbook = await an_approved_runbook(running_server.sessions, team, content)
    in_use = await author("secret", "delete", "piped", "--yes")
    assert (in_use.code, f"{runbook.name} (SECRET_IN_USE)" in in_use.err) == (1, True)
    assert (await author("secret", "delete", "from_file")).code == 2
    async with author.on_terminal("secret", "delete", "from_file") as terminal:
        await terminal.sees(b"Delete from_file?")
        terminal.types("y\n")
        assert await terminal.ended() == 0
    assert (await author("secret", "list")).out.decode().split()[-1] == str(team.author.id)
