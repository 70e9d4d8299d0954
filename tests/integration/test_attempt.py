"""One attempt: what a script is given, what is kept of it, and how its end is told."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from uuid import UUID

import pytest

from executor.settings import ExecutorSettings
from kernel.cipher import Cipher
from kernel.execution.content import ParameterDefinition, ParameterType, ScriptLanguage
from kernel.execution.event import Output, OutputStream, StateChanged, Truncated
from kernel.execution.status import ExecutionStatus
from tests.builders import MASTER_KEY
from tests.executors import an_executor
from tests.integration.conftest import Platform
from tests.waiting import eventually

HELLO = {
    ScriptLanguage.BASH: 'echo "hello $PARAM_NAME from $BASH_VERSION"; echo oops >&2',
    ScriptLanguage.PYTHON: "import os, sys; print('hello', os.environ['PARAM_NAME']); print('oops', file=sys.stderr)",
    ScriptLanguage.JAVASCRIPT: "console.log('hello', process.env.PARAM_NAME); console.error('oops')",
}


@pytest.mark.usefixtures("executor")
@pytest.mark.parametrize("language", list(ScriptLanguage))
async def test_each_language_runs_with_its_parameters(platform: Platform, language: ScriptLanguage) -> None:
    done = await platform.run(HELLO[language], language, parameter_values={"name": "Ada; rm -rf /"})

    assert done.status == ExecutionStatus.COMPLETED
    assert done.stdout.startswith(b"hello Ada; rm -rf /")
    assert done.stderr == b"oops\n"
    assert done.exit_code == 0
    assert done.stdout_sha256 == hashlib.sha256(done.bytes_of(OutputStream.STDOUT)).hexdigest()
    assert done.stdout_size == len(done.bytes_of(OutputStream.STDOUT))


@pytest.mark.usefixtures("executor")
async def test_the_log_is_numbered_without_holes_from_pending_to_the_end(platform: Platform) -> None:
    done = await platform.run("echo one; sleep 0.1; echo two >&2; exit 3")

    assert [e.sequence for e in done.events] == list(range(1, len(done.events) + 1))
    states = [e.payload.state["status"] for e in done.events if isinstance(e.payload, StateChanged)]
    assert states == ["PENDING", "RUNNING", "FAILED"]
    assert (done.status, done.exit_code, done.error_code) == ("FAILED", 3, None)
    assert isinstance(done.events[-1].payload, StateChanged)


@pytest.mark.usefixtures("executor")
async def test_a_script_killed_by_a_signal_ends_with_128_and_its_number(platform: Platform) -> None:
    done = await platform.run("kill -USR1 $$")

    assert (done.status, done.exit_code) == ("FAILED", 138)


@pytest.mark.usefixtures("executor")
async def test_parameters_are_in_a_json_file_too_and_sensitive_ones_only_there_and_in_the_environment(
    platform: Platform,
) -> None:
    done = await platform.run(
        '(cat "$ONCALL_PARAMETERS"; echo; echo "$PARAM_PASSWORD|$PARAM_COUNT|$PARAM_DRY") | rev',  # not what is masked
        parameters=(ParameterDefinition("password", ParameterType.STRING, sensitive=True),),
        parameter_values={"password": "********", "count": 3, "dry": True},
        sealed=lambda execution: Cipher(MASTER_KEY).seal(b'{"password":"hunter2"}', str(execution)),
    )

    as_file, as_variables = (line[::-1] for line in done.stdout.decode().splitlines())
    assert json.loads(as_file) == {"password": "hunter2", "count": 3, "dry": True}
    assert as_variables == "hunter2|3|true"
    assert done.sealed_parameters is None


@pytest.mark.usefixtures("executor")
async def test_three_million_bytes_cut_inside_characters_arrive_whole(platform: Platform) -> None:
    script = """
import os
data = ("ä€😀x" * 300_000).encode()
view = memoryview(data)
while view:
    view = view[os.write(1, view[:65_537]):]
"""
    done = await platform.run(script, ScriptLanguage.PYTHON)

    expected = ("ä€😀x" * 300_000).encode()
    assert len(expected) == 3_000_000
    assert done.stdout == expected
    assert done.stdout_sha256 == hashlib.sha256(expected).hexdigest()
    chunks = [e.payload for e in done.events if isinstance(e.payload, Output)]
    assert [c.offset for c in chunks] == [sum(len(c.data) for c in chunks[:n]) for n in range(len(chunks))]
    assert max(len(c.data) for c in chunks) <= 64 * 1024
    assert len(done._row.stdout.encode()) <= 64 * 1024


async def test_past_the_cap_bytes_are_counted_and_hashed_and_the_script_goes_on(
    platform: Platform, executor_settings: ExecutorSettings
) -> None:
    async with an_executor(executor_settings, output_cap=100_000):
        done = await platform.run("head -c 300000 /dev/zero; echo still here >&2")

    assert done.status == ExecutionStatus.COMPLETED
    assert done.stdout == b"\0" * 100_000
    assert done.stdout_size == 300_000
    assert done.stdout_sha256 == hashlib.sha256(b"\0" * 300_000).hexdigest()
    assert done.output_truncated
    assert [e.payload for e in done.events if isinstance(e.payload, Truncated)] == [
        Truncated(OutputStream.STDOUT, 1, 100_000)
    ]
    assert done.stderr == b"still here\n"


@pytest.mark.usefixtures("executor")
async def test_what_was_not_approved_is_not_run(platform: Platform) -> None:
    done = await platform.run("echo never", digest="0" * 64, max_retries=3)

    assert (done.status, done.error_code, done.attempt) == ("FAILED", "DIGEST_MISMATCH", 1)
    assert done.stdout == b""


@pytest.mark.usefixtures("executor")
async def test_a_script_that_closes_its_output_still_has_its_end(platform: Platform) -> None:
    done = await platform.run("echo first; exec >&- 2>&-; sleep 0.3; exit 4")

    assert (done.status, done.exit_code, done.stdout) == ("FAILED", 4, b"first\n")


@pytest.mark.usefixtures("executor")
async def test_what_a_script_leaves_behind_dies_with_it(platform: Platform) -> None:
    done = await platform.run("(setsid sleep 1000 &) ; echo left; exit 0")

    assert done.status == ExecutionStatus.COMPLETED
    assert done.completed_at - done.started_at < timedelta(seconds=30)


@pytest.mark.usefixtures("executor")
async def test_a_failed_attempt_is_repeated_as_often_as_the_version_says(platform: Platform) -> None:
    execution = await platform.an_execution("echo attempt $ONCALL_ATTEMPT; [ $ONCALL_ATTEMPT = 2 ]", max_retries=2)
    await platform.doorbell.ring(execution)
    await platform.output_of(execution, b"attempt 1")
    await _ring_until_ended(platform, execution)
    done = await platform.row(execution)

    assert (done.status, done.attempt, done.max_attempts) == ("COMPLETED", 2, 3)
    assert done.bytes_of(OutputStream.STDOUT, attempt=2) == b"attempt 2\n"
    states = [e.payload.state["status"] for e in done.events if isinstance(e.payload, StateChanged)]
    assert states == ["PENDING", "RUNNING", "PENDING", "RUNNING", "COMPLETED"]
    assert done.stdout_size == len(b"attempt 2\n")


async def _ring_until_ended(platform: Platform, execution: UUID) -> None:
    async def ended() -> bool:
        await platform.doorbell.ring(execution)
        return (await platform.status(execution)).ended

    await eventually(ended, within=40)
