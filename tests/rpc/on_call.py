"""A team that keeps its runbooks as files: for tests that take one from its file to the end of an execution."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from oncall.v1 import runbook_service_pb2 as rpc
from oncall.v1.execution_pb2 import OUTPUT_STREAM_STDOUT
from oncall.v1.secret_service_pb2 import PutSecretRequest
from oncall.v1.secret_service_pb2_grpc import SecretServiceStub
from tests.builders import TeamWithPeople
from tests.rpc.conftest import RunningServer
from tests.rpc.shell import Shell


class Ran(NamedTuple):
    code: int
    out: str
    err: str


class Team:
    """An author who applies files, a reviewer who approves them, a responder who runs them."""

    def __init__(self, server: RunningServer, people: TeamWithPeople, home: Path) -> None:
        self.server = server
        self.people = people
        self._author = Shell(home, server.address, people.author)

    async def adopts(self, file: Path) -> str:
        """Answers the id of a file's runbook, approved and ready to run."""
        ran = await self._author("runbook", "apply", str(file), "--yes", "--submit", "--json")
        assert ran.code == 0, ran.err
        [applied] = json.loads(ran.out)["runbooks"]
        request = rpc.ApproveRunbookRequest(
            runbook_id=applied["runbook_id"], version=applied["version"], digest=applied["digest"]
        )
        await self.server.runbooks.ApproveRunbook(request, metadata=self.people.reviewer.metadata)
        return str(applied["runbook_id"])

    async def runs(self, runbook_id: str, *, confirm: bool = False, **parameters: Any) -> Ran:
        out, err, last = b"", b"", None
        async for answer in self.execution(runbook_id, confirm=confirm, **parameters):
            if answer.event.HasField("output"):
                if answer.event.output.stream == OUTPUT_STREAM_STDOUT:
                    out += answer.event.output.data
                else:
                    err += answer.event.output.data
            elif answer.event.HasField("execution"):
                last = answer.event.execution
        assert last is not None
        assert last.HasField("exit_code"), last
        return Ran(last.exit_code, out.decode(), err.decode())

    async def left_by(self, runbook_id: str) -> dict[str, Any]:
        """Answers what the newest execution of a runbook left in `$ONCALL_OUTPUT`."""
        asked = self.people.observer.metadata
        newest = rpc.ListExecutionsRequest(runbook_id=runbook_id, page_size=1)
        [listed] = (await self.server.runbooks.ListExecutions(newest, metadata=asked)).executions
        request = rpc.GetExecutionRequest(execution_id=listed.id)
        found = (await self.server.runbooks.GetExecution(request, metadata=asked)).execution
        assert found.output_error == ""
        return MessageToDict(found.output)

    def execution(self, runbook_id: str, *, confirm: bool = False, **parameters: Any) -> Any:
        values = Struct()
        values.update(parameters)
        request = rpc.ExecuteRequest(runbook_id=runbook_id, parameters=values, confirm=confirm)
        return self.server.runbooks.Execute(request, metadata=self.people.responder.metadata)

    async def keeps_secret(self, name: str, value: str) -> None:
        request = PutSecretRequest(team_id=str(self.people.id), name=name, value=value)
        await SecretServiceStub(self.server.channel).PutSecret(request, metadata=self.people.author.metadata)
