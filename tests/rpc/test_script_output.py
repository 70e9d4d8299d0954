"""What a script left in `$ONCALL_OUTPUT`, as callers see it: of one execution, and of no list and no log."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from kernel.execution.content import ParameterDefinition, ParameterType, ScriptLanguage, VersionContent
from oncall.v1 import execution_pb2
from oncall.v1 import runbook_service_pb2 as pb
from server.domain.runbook import Runbook
from tests.builders import TeamWithPeople, an_approved_runbook
from tests.executors import an_executor, settings_of
from tests.rpc.conftest import RunningServer
from tests.rpc.shell import Shell

LEAVE = """
import json, os
pin = int(os.environ["PARAM_PIN"])
output = {"replicas": 3, "lag": 0.5, "leader": None, "pins": [pin, -pin, f"it is {pin}"], "ok": True}
with open(os.environ["ONCALL_OUTPUT"], "w") as file: json.dump(output, file)
"""
LEFT = {"replicas": 3.0, "lag": 0.5, "leader": None, "pins": ["********", "********", "it is ********"], "ok": True}


@pytest.fixture
async def executor(database_url: str, redis_url: str) -> AsyncIterator[None]:
    async with an_executor(settings_of(database_url, redis_url)):
        yield


async def _runbook(server: RunningServer, team: TeamWithPeople, script: str = LEAVE) -> Runbook:
    pin = ParameterDefinition("pin", ParameterType.INTEGER, sensitive=True)
    content = VersionContent(script, ScriptLanguage.PYTHON, (pin,))
    return await an_approved_runbook(server.sessions, team, content)


async def _events(server: RunningServer, team: TeamWithPeople, runbook: Runbook) -> list[execution_pb2.ExecutionEvent]:
    values = Struct()
    values.update({"pin": 271828})
    request = pb.ExecuteRequest(runbook_id=str(runbook.id), parameters=values)
    call = server.runbooks.Execute(request, metadata=team.responder.metadata)
    return [answer.event async for answer in call]


@pytest.mark.usefixtures("executor")
async def test_it_is_in_the_answer_about_one_execution_and_nowhere_else(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook = await _runbook(running_server, team)
    events = await _events(running_server, team, runbook)
    asked, observer = pb.GetExecutionRequest(execution_id=events[-1].execution.id), team.observer.metadata
    found = (await running_server.runbooks.GetExecution(asked, metadata=observer)).execution
    listed = (await running_server.runbooks.ListExecutions(pb.ListExecutionsRequest(), metadata=observer)).executions

    assert (MessageToDict(found.output), found.output_error) == (LEFT, "")
    assert found.masked_count == 3
    assert [execution.HasField("output") for execution in listed] == [False]
    assert not any(event.execution.HasField("output") for event in events)


@pytest.mark.usefixtures("executor")
async def test_why_there_is_none_is_told_in_the_same_place(running_server: RunningServer, team: TeamWithPeople) -> None:
    runbook = await _runbook(running_server, team, "import os; open(os.environ['ONCALL_OUTPUT'], 'w').write('[1]')")
    events = await _events(running_server, team, runbook)
    asked = pb.GetExecutionRequest(execution_id=events[-1].execution.id)
    found = (await running_server.runbooks.GetExecution(asked, metadata=team.observer.metadata)).execution

    assert (found.status, found.exit_code) == (execution_pb2.EXECUTION_STATUS_COMPLETED, 0)
    assert not found.HasField("output")
    assert found.output_error == "not an object: what stands at the top must begin with {"


@pytest.mark.usefixtures("executor")
async def test_the_command_shows_it(running_server: RunningServer, team: TeamWithPeople, tmp_path: Path) -> None:
    runbook = await _runbook(running_server, team)
    shell = Shell(tmp_path, running_server.address, team.responder)
    (tmp_path / "values.json").write_text('{"pin": 271828}')
    ran = await shell("run", str(runbook.id), "--parameters", str(tmp_path / "values.json"), "--json")
    last = json.loads(ran.out.splitlines()[-1])["execution"]
    shown = await shell("execution", last["id"])
    in_json = json.loads((await shell("execution", last["id"], "--json")).out)

    assert ran.code == 0, ran.err
    assert last["output"] == in_json["output"] == LEFT
    assert json.loads(shown.out.decode().partition("\noutput:\n")[2]) == LEFT
