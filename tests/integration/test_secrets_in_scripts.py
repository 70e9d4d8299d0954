"""What a script is given in secret reaches it, and nobody else."""

from __future__ import annotations

import base64
import json

import pytest
from sqlalchemy import insert, select

from executor.masking import MASK
from kernel.cipher import Cipher
from kernel.database import transaction
from kernel.execution.content import ParameterDefinition, ParameterType, ScriptLanguage
from kernel.execution.event import OutputStream
from kernel.ids import new_id
from kernel.secret_store import context_of
from kernel.tables import executions, secrets
from tests.builders import MASTER_KEY
from tests.integration.conftest import Platform, Record

VALUE = 'S3cr3t/"äß"+value'

pytestmark = pytest.mark.usefixtures("executor")

PRINT_IT_ALL = """
import base64, json, os, sys, urllib.parse
value = open(os.environ["ONCALL_SECRETS"] + "/db_password").read()
assert value == os.environ["SECRET_DB_PASSWORD"]
for before in range(3):
    print(base64.b64encode(b"x" * before + value.encode() + b"tail").decode())
print(urllib.parse.quote(value), urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value))
print(json.dumps(value), json.dumps(value, ensure_ascii=False))
for character in "split " + value + " end\\n":
    os.write(1, character.encode())
print(value, file=sys.stderr)
"""


async def with_secrets(
    platform: Platform, script: str, values: dict[str, str], *, wanted: tuple[str, ...] = ()
) -> Record:
    """Runs a script that names the secrets `wanted` (unset: all of `values`) in a team that has `values`."""
    names = wanted or tuple(values)
    execution = await platform.an_execution(script, ScriptLanguage.PYTHON, secret_names=names)
    async with transaction(platform.sessions) as tx:
        row = (await tx.session.execute(select(executions).where(executions.c.id == execution))).one()
        cipher = Cipher(MASTER_KEY)
        for name, value in values.items():
            await tx.session.execute(
                insert(secrets).values(
                    id=new_id(),
                    team_id=row.team_id,
                    name=name,
                    sealed=cipher.seal(value.encode(), context_of(row.team_id, name)),
                    key_id="any",
                    created_by=row.triggered_by,
                    created_at=row.created_at,
                    updated_by=row.triggered_by,
                    updated_at=row.created_at,
                )
            )
    await platform.doorbell.ring(execution)
    return await platform.end_of(execution)


async def test_a_secret_is_a_file_and_a_variable_and_masked_in_everything_that_is_kept(platform: Platform) -> None:
    done = await with_secrets(platform, PRINT_IT_ALL, {"db_password": VALUE})

    assert (done.status, done.exit_code) == ("COMPLETED", 0), done.stderr
    everything = done.stdout + done.stderr + done._row.stdout.encode() + done._row.stderr.encode()
    for form in (VALUE, base64.b64encode(VALUE.encode()).decode(), json.dumps(VALUE)[1:-1]):
        assert form.encode() not in everything
    assert done.stdout.count(MASK) == 3 + 3 + 2 + 1
    assert b"split " + MASK + b" end\n" in done.stdout
    assert done.stderr == MASK + b"\n"
    assert done.masked_count == 10
    assert done.stdout_size == len(done.bytes_of(OutputStream.STDOUT))


async def test_fifty_secrets_of_the_greatest_size_reach_a_script_as_files(platform: Platform) -> None:
    script = (
        "import os, pathlib; print(sum(f.stat().st_size for f in pathlib.Path(os.environ['ONCALL_SECRETS']).iterdir()))"
    )
    values = {f"secret_{number}": f"{number:02}" * (32 * 1024) for number in range(50)}
    done = await with_secrets(platform, script, values)

    assert (done.status, done.stdout) == ("COMPLETED", f"{50 * 64 * 1024}\n".encode()), done.error_message


async def test_a_secret_that_is_gone_by_now_stops_the_run_before_it_begins(platform: Platform) -> None:
    done = await with_secrets(platform, "print('never')", {"another": VALUE}, wanted=("db_password",))

    assert (done.status, done.error_code, done.stdout) == ("FAILED", "SECRET_MISSING", b"")
    assert "db_password" in done.error_message


async def test_a_sensitive_parameter_is_masked_in_the_output_like_a_secret(platform: Platform) -> None:
    done = await platform.run(
        'echo "it is $PARAM_PASSWORD"; cat "$ONCALL_PARAMETERS"',
        parameters=(ParameterDefinition("password", ParameterType.STRING, sensitive=True),),
        parameter_values={"password": "********", "port": 5432},
        sealed=lambda execution: Cipher(MASTER_KEY).seal(b'{"password":"hunter2"}', str(execution)),
    )

    assert done.stdout == b'it is ********\n{"password": "********", "port": 5432}'
    assert done.masked_count == 2


async def test_a_sensitive_number_is_masked_as_the_variable_and_as_the_file_show_it(platform: Platform) -> None:
    done = await platform.run(
        'echo "$PARAM_PIN"; cat "$ONCALL_PARAMETERS"',
        parameters=(ParameterDefinition("pin", ParameterType.NUMBER, sensitive=True),),
        parameter_values={"pin": "********"},
        sealed=lambda execution: Cipher(MASTER_KEY).seal(b'{"pin":918273.0}', str(execution)),
    )

    assert done.stdout == b'********\n{"pin": ********}'
