"""Redis and PostgreSQL are killed and started again under server, jobs and executor, each a process of its own."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from uuid import UUID

import grpc
import pytest

from cli.launcher.embedded_postgres import EmbeddedPostgres
from cli.launcher.embedded_redis import EmbeddedRedis
from kernel.database import create_engine, sessions
from kernel.execution.content import ScriptLanguage, VersionContent
from oncall.client import Client, OncallError
from oncall.v1 import execution_pb2
from oncall.v1.runbook_service_pb2 import GetExecutionRequest
from oncall.v1.team_service_pb2 import GetCallerRequest
from tests.builders import a_team, an_approved_runbook
from tests.conftest import away
from tests.executors import an_executor_process
from tests.processes import pids_of
from tests.rpc.test_live_output import joined
from tests.rpc.test_processes import environment_of, serving

PATIENCE = 60.0
COUNTING = """\
import signal, time
told = []
signal.signal(signal.SIGUSR1, lambda *_: told.append("told"))
number = 0
while not told:
    print(number, flush=True)
    number += 1
    time.sleep(0.05)
print("told", flush=True)
"""
"""Goes on until it is told by a signal, so that no outage is too long for it."""

Events = list[execution_pb2.ExecutionEvent]


class Following:
    """An execution that a client follows, and what it has seen of it."""

    def __init__(self, answers: AsyncIterator[execution_pb2.ExecutionEvent]) -> None:
        self._answers = answers
        self.events: Events = []

    async def began(self) -> str:
        """Waits until it is accepted; answers its id."""
        self.events.append(await anext(self._answers))
        return self.events[0].execution.id

    async def says_more(self, lines: int = 3) -> None:
        """Waits until so many more lines have come than there are now."""
        wanted = joined(self.events).count(b"\n") + lines
        while joined(self.events).count(b"\n") < wanted:
            self.events.append(await anext(self._answers))

    async def ended(self) -> execution_pb2.Execution:
        self.events += [event async for event in self._answers]
        assert [event.sequence for event in self.events] == list(range(1, len(self.events) + 1))
        return self.events[-1].execution


@pytest.mark.timeout(180)
async def test_a_script_goes_on_while_both_stores_restart_and_what_was_accepted_meanwhile_runs(
    own_postgres: EmbeddedPostgres, own_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    engine = create_engine(own_postgres.url)
    make_session = sessions(engine)
    team = await a_team(make_session)
    counting = await an_approved_runbook(make_session, team, VersionContent(COUNTING, ScriptLanguage.PYTHON))
    saying = await an_approved_runbook(make_session, team, VersionContent("echo ran", ScriptLanguage.BASH))
    await engine.dispose()
    folders = [tmp_path / name for name in ("server", "jobs")]
    for folder in folders:
        folder.mkdir()
    environments = [environment_of(own_postgres.url, own_redis.url, folder) for folder in folders]
    lease = {"ONCALL_LEASE_SECONDS": "60"}  # longer than any machine needs to start PostgreSQL
    async with (
        serving(environments[0], "server") as server,
        serving(environments[1], "server.jobs"),
        an_executor_process(own_postgres.url, own_redis.url, tmp_path, environment=lease) as executor,
        Client(server["address"], token=team.responder.token, patience=PATIENCE) as client,
    ):
        running = Following(client.execute(str(counting.id)))
        execution = UUID(await running.began())
        await running.says_more()
        script = pids_of(execution)

        with away(own_redis):
            accepted = Following(client.execute(str(saying.id)))
            request = GetExecutionRequest(execution_id=await accepted.began())
            await running.says_more()  # from PostgreSQL alone
            kept = (await client.runbooks.GetExecution(request)).execution
            assert (kept.status, kept.attempt) == (execution_pb2.EXECUTION_STATUS_PENDING, 0)
            with away(own_postgres):
                await _is_told_to_try_again(server["address"], team.responder.token)
        await running.says_more()
        later = await accepted.ended()
        assert pids_of(execution) == script
        for pid in script:
            os.kill(pid, signal.SIGUSR1)
        last = await running.ended()

        executor.terminate()
        assert await executor.wait() == 0

    completed = execution_pb2.EXECUTION_STATUS_COMPLETED
    assert (later.status, later.attempt, joined(accepted.events)) == (completed, 1, b"ran\n")
    assert (last.status, last.attempt, last.exit_code, last.error.code) == (completed, 1, 0, "")
    output = joined(running.events)
    *numbers, told = output.splitlines()
    assert told == b"told"
    assert all(int(line) == number for line, number in zip(numbers, count(), strict=False))
    assert (last.stdout_size, last.stdout_sha256) == (len(output), hashlib.sha256(output).hexdigest())
    assert pids_of(execution) == set()


async def _is_told_to_try_again(address: str, token: str) -> None:
    async with Client(address, token=token, retry_for=0.0) as client:
        with pytest.raises(OncallError) as refused:
            await client.teams.GetCaller(GetCallerRequest(), timeout=20)
    assert refused.value.code is grpc.StatusCode.UNAVAILABLE
