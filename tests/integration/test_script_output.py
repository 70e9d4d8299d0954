"""What a script leaves in `$ONCALL_OUTPUT`: of the last attempt, however that ended, and masked."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, update

from executor.masking import forms_of
from kernel import lifecycle
from kernel.database import transaction
from kernel.execution.content import NetworkPolicy, ScriptLanguage
from kernel.tables import executions
from tests.executors import an_executor_process
from tests.integration.conftest import Platform, Record
from tests.integration.test_secrets_in_scripts import VALUE, with_secrets
from tests.waiting import PATIENCE, eventually

PYTHON = ScriptLanguage.PYTHON

LEAVE = {
    ScriptLanguage.BASH: """echo '{"from": "ä", "list": [1, 2.5, true, null, {}]}' >"$ONCALL_OUTPUT" """,
    ScriptLanguage.PYTHON: """
import json, os
with open(os.environ["ONCALL_OUTPUT"], "w") as file: json.dump({"from": "ä", "list": [1, 2.5, True, None, {}]}, file)
""",
    ScriptLanguage.JAVASCRIPT: """
const output = JSON.stringify({ from: "ä", list: [1, 2.5, true, null, {}] });
require("node:fs").writeFileSync(process.env.ONCALL_OUTPUT, output);
""",
}


@pytest.mark.usefixtures("executor")
@pytest.mark.parametrize("network", list(NetworkPolicy))  # a sandbox that stood ready, and one that did not
@pytest.mark.parametrize("language", list(ScriptLanguage))
async def test_each_language_leaves_an_object(
    platform: Platform, language: ScriptLanguage, network: NetworkPolicy
) -> None:
    done = await platform.run(LEAVE[language], language, network=network)

    assert (done.status, done.output_error) == ("COMPLETED", "")
    assert done.output == {"from": "ä", "list": [1, 2.5, True, None, {}]}


@pytest.mark.usefixtures("executor")
async def test_the_file_is_not_there_before_nor_in_the_working_directory(platform: Platform) -> None:
    done = await platform.run(
        '[ -e "$ONCALL_OUTPUT" ] || echo none; ls -A; echo "{}" >"$ONCALL_OUTPUT"; ls -A; ls -A /tmp'
    )

    assert (done.stdout, done.output) == (b"none\n", {})


@pytest.mark.usefixtures("executor")
async def test_an_execution_that_leaves_nothing_has_no_output_and_no_problem(platform: Platform) -> None:
    done = await platform.run("true")

    assert (done.output, done.output_error) == (None, "")


@pytest.mark.usefixtures("executor")
async def test_what_is_no_object_is_told_and_fails_nothing(platform: Platform) -> None:
    done = await platform.run('printf "{\\n\\n\'a\': 1}" >"$ONCALL_OUTPUT"')

    assert (done.status, done.exit_code, done.output) == ("COMPLETED", 0, None)
    assert done.output_error.startswith("line 3, column 1: not JSON: ")


@pytest.mark.usefixtures("executor")
async def test_whatever_is_accepted_the_database_keeps_as_it_is(platform: Platform) -> None:
    value = {
        "\u0001\u001f\u007f\u2028\ufffe\uffff": "\U0010ffff\ue000",
        "numbers": [5e-324, 1.7976931348623157e308, -0.5, 2**53 - 1, 1e22, 0.1],
        "": {"": [[], {}, ""]},
        "long": "x" * 60_000,
    }
    done = await platform.run(f"import os; open(os.environ['ONCALL_OUTPUT'], 'w').write({json.dumps(value)!r})", PYTHON)

    assert done.output_error == ""
    # JSONB writes great numbers out in digits; as doubles, which they were and are to every reader, they are the same.
    assert {**done.output, "numbers": [float(number) for number in done.output["numbers"]]} == value


@pytest.mark.usefixtures("executor")
async def test_only_the_last_attempt_counts(platform: Platform) -> None:
    script = """
    echo begun
    if [ $ONCALL_ATTEMPT = 1 ]; then echo '{"attempt": 1}' >"$ONCALL_OUTPUT"; exit 1; fi
    if [ $ONCALL_ATTEMPT = 2 ]; then echo '{"attempt"' >"$ONCALL_OUTPUT"; exit 1; fi
    """
    execution = await platform.an_execution(script, max_retries=2)
    seen: dict[int, tuple[object, str]] = {}
    await platform.doorbell.ring(execution)

    async def ended() -> bool:
        row = await platform.row(execution)
        if row.status == "PENDING" and row.attempt:
            seen[row.attempt] = (row.output, row.output_error[:7])
        await platform.doorbell.ring(execution)
        return row.completed_at is not None

    await eventually(ended, within=20)
    done = await platform.row(execution)

    assert seen == {1: ({"attempt": 1}, ""), 2: (None, "line 2,")}
    assert (done.status, done.attempt, done.output, done.output_error) == ("COMPLETED", 3, None, "")


async def _claim(platform: Platform, execution: UUID) -> None:
    async with transaction(platform.sessions) as tx:
        assert await lifecycle.claim(tx.session, execution, "somebody", lease=timedelta(seconds=60))


async def test_while_an_attempt_runs_there_is_nothing_of_the_one_before(platform: Platform) -> None:
    execution = await platform.an_execution("true", max_retries=1)
    async with transaction(platform.sessions) as tx:
        left = {"output": {"of": "an attempt"}, "output_error": "or not"}
        await tx.session.execute(update(executions).where(executions.c.id == execution).values(**left))
    await _claim(platform, execution)
    running = await platform.row(execution)

    assert (running.status, running.output, running.output_error) == ("RUNNING", None, "")


LEAVE_AND_STAY = """echo '{"so": "far"}' >"$ONCALL_OUTPUT"; echo left; sleep 1000"""


@pytest.mark.usefixtures("executor")
async def test_an_attempt_that_ran_too_long_keeps_what_it_left(platform: Platform) -> None:
    done = await platform.run(LEAVE_AND_STAY, timeout_seconds=1)
    if done.stdout != b"left\n":  # a machine that stood still may have used up its time
        done = await platform.run(LEAVE_AND_STAY, timeout_seconds=10)

    assert (done.status, done.output) == ("TIMEOUT", {"so": "far"})


@pytest.mark.usefixtures("executor")
async def test_an_attempt_that_was_cancelled_keeps_what_it_left(platform: Platform) -> None:
    execution = await platform.an_execution(LEAVE_AND_STAY)
    await platform.doorbell.ring(execution)
    await platform.output_of(execution, b"left")
    async with transaction(platform.sessions) as tx:
        await lifecycle.request_cancel(tx.session, execution)
    done = await platform.end_of(execution)

    assert (done.status, done.output) == ("CANCELLED", {"so": "far"})


@pytest.mark.usefixtures("executor")
async def test_a_script_that_was_killed_keeps_what_it_left(platform: Platform) -> None:
    done = await platform.run("""echo '{"so": "far"}' >"$ONCALL_OUTPUT"; kill -9 $$""")

    assert (done.status, done.exit_code, done.output) == ("FAILED", 137, {"so": "far"})


async def test_of_an_executor_that_was_lost_there_is_no_output(platform: Platform, tmp_path: Path) -> None:
    execution = await platform.an_execution(LEAVE_AND_STAY)
    async with an_executor_process(platform.database_url, platform.redis_url, tmp_path) as process:
        await platform.doorbell.ring(execution)
        await platform.output_of(execution, b"left", within=10 * PATIENCE)
        process.kill()
        await process.wait()
    async with transaction(platform.sessions) as tx:
        past = func.now() - timedelta(seconds=1)
        await tx.session.execute(update(executions).where(executions.c.id == execution).values(lease_expires_at=past))
        assert await lifecycle.expire(tx.session, jitter=0.0)
    done = await platform.row(execution)

    assert (done.status, done.error_code) == ("FAILED", "EXECUTOR_LOST")
    assert (done.output, done.output_error) == (None, "")


LEAVE_THE_SECRET = """
import base64, json, os, urllib.parse
value = os.environ["SECRET_TOKEN"]
output = {
    "plain": value, "inside": f"Bearer {value}!", "quoted": urllib.parse.quote(value, safe=""),
    "json": json.dumps(value),
    "base64": base64.b64encode(b"x" + value.encode()).decode(), "deep": [{value: [value]}], "fine": "nothing of it",
}
with open(os.environ["ONCALL_OUTPUT"], "w") as file: json.dump(output, file)
"""


@pytest.mark.usefixtures("executor")
async def test_a_secret_is_in_no_name_and_no_value_in_no_form(platform: Platform) -> None:
    done = await with_secrets(platform, LEAVE_THE_SECRET, {"token": VALUE})

    assert done.output_error == ""
    assert (done.output["plain"], done.output["inside"]) == ("********", "Bearer ********!")
    assert done.output["deep"] == [{"********": ["********"]}]
    assert done.output["fine"] == "nothing of it"
    assert done.masked_count == 7
    _assert_nowhere(done, VALUE)


def _assert_nowhere(done: Record, value: str) -> None:
    shown: list[Any] = [done.output, done.output_error]
    for form in forms_of(value.encode()):
        assert form not in json.dumps(shown).encode()
        assert form not in json.dumps(shown, ensure_ascii=False).encode()


@pytest.mark.usefixtures("executor")
@pytest.mark.parametrize(
    "spoilt", ["{value}", '{{"a": {value}', '["{value}"]', '{{"{value}": NaN}}', '{{"a": "{value}\\u0000"}}']
)
async def test_a_problem_says_nothing_of_what_was_written(platform: Platform, spoilt: str) -> None:
    secret = base64.b64encode(b"a secret of plain letters").decode()
    text = spoilt.format(value="SECRET")
    script = (
        "import os; secret = os.environ['SECRET_TOKEN'];"
        f"open(os.environ['ONCALL_OUTPUT'], 'w').write({text!r}.replace('SECRET', secret))"
    )
    done = await with_secrets(platform, script, {"token": secret})

    assert done.output is None
    assert done.output_error
    _assert_nowhere(done, secret)
