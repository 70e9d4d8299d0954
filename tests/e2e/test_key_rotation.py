"""Keys are changed beside a running `oncall up`, and secrets are put from the shell."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from cli.launcher.data_folder import DataFolder
from kernel.cipher import Cipher
from kernel.database import Sessions, create_engine, sessions, transaction
from kernel.execution.content import ScriptLanguage, VersionContent
from kernel.ids import new_id
from kernel.secret_store import context_of, read_sealed
from oncall.client import Client
from oncall.v1.execution_pb2 import EXECUTION_STATUS_COMPLETED
from server.domain.secret import Secret
from server.storage import secrets
from tests.builders import TeamWithPeople, a_team, an_approved_runbook
from tests.e2e.conftest import Launch
from tests.e2e.launched import ONCALL, Launched

NEW = base64.urlsafe_b64encode(os.urandom(32)).decode()
VALUE = "correct horse battery staple"
SCRIPT = f'test "$SECRET_PASSWORD" = "{VALUE}" && test "$(cat "$ONCALL_SECRETS/older_one")" = "{VALUE}"\n'


async def _oncall(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [str(ONCALL), *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


async def test_keys_are_changed_while_everything_runs(
    launch: Launch, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    old = DataFolder(data).master_key()
    keys = {"ONCALL_ENCRYPTION_KEYS": f"{NEW},{old}"}
    stack = launch(env={"ONCALL_DATABASE_URL": database_url, "ONCALL_REDIS_URL": redis_url, **keys})
    engine = create_engine(database_url, pool_size=2)
    make_session = sessions(engine)
    team = await a_team(make_session)
    await _put_under(Cipher(old), make_session, team, "older_one")
    await asyncio.to_thread(stack.wait_until_it_serves)
    assert _told(stack) == {"server": keys["ONCALL_ENCRYPTION_KEYS"], "executor": f"{NEW},{old}", "gateway": None}
    server = next(line.split()[1] for _, line in stack.lines if line.startswith("  server"))
    person = {"ONCALL_SERVER": server, "ONCALL_TOKEN": team.author.token, "HOME": str(tmp_path)}
    put = await _oncall("secret", "put", "password", stdin=VALUE + "\n", **person)
    assert (put.stdout, put.stderr, put.returncode) == ("stored password\n", "", 0)
    where = {"ONCALL_DATA_DIR": str(data)}
    for other in ({}, {"ONCALL_ENCRYPTION_KEYS": f"{old},{NEW}"}):
        refused = await _oncall("admin", "rotate-keys", **where, **other)
        assert (refused.returncode, "was started with other keys" in refused.stderr) == (2, True)
    rotated = await _oncall("admin", "rotate-keys", **where, **keys)
    assert (rotated.returncode, rotated.stdout.splitlines()[0][:22]) == (0, "1 secrets sealed again")
    assert "nothing needs an older key any more" in rotated.stdout
    async with make_session() as session:
        sealed = await read_sealed(session, team.id, ["older_one", "password"])
    assert [Cipher(NEW).open(sealed[name], context_of(team.id, name)) for name in sorted(sealed)] == [
        VALUE.encode()
    ] * 2
    await _runs(server, team, await _runbook(make_session, team))
    shown = "".join([rotated.stdout, rotated.stderr, stack.output, *(log.read_text() for log in data.glob("*/*.log"))])
    shown += (data / "environment.json").read_text()
    assert not [secret[:6] for secret in (VALUE, NEW, old) if secret in shown]
    await engine.dispose()


def _told(stack: Launched) -> dict[str, str | None]:
    """Answers which encryption keys the processes have in their environment."""
    found = {process.cmdline()[-1]: process for process in stack.processes() if process.cmdline()}
    return {name: found[name].environ().get("ONCALL_ENCRYPTION_KEYS") for name in ("server", "executor", "gateway")}


async def _put_under(cipher: Cipher, make_session: Sessions, team: TeamWithPeople, name: str) -> None:
    by, at = team.author.id, datetime.now(UTC)
    secret = Secret(new_id(), team.id, name, cipher.current_key_id, by, at, by, at)
    async with transaction(make_session) as tx:
        await secrets.put(tx.session, secret, cipher.seal(VALUE.encode(), context_of(team.id, name)))


async def _runbook(make_session: Sessions, team: TeamWithPeople) -> str:
    content = VersionContent(SCRIPT, ScriptLanguage.BASH, secret_names=("older_one", "password"))
    return str((await an_approved_runbook(make_session, team, content)).id)


async def _runs(server: str, team: TeamWithPeople, runbook_id: str) -> None:
    async with Client(server, token=team.responder.token) as client:
        events = [event async for event in client.execute(runbook_id, {})]
    assert events[-1].execution.status == EXECUTION_STATUS_COMPLETED
