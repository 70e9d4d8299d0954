"""A valid request for every RPC of RunbookService; see `valid_requests`."""
# ruff: noqa: N802 - the methods are named for the RPCs

from __future__ import annotations

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from oncall.v1 import (
    runbook_pb2,
)
from oncall.v1 import runbook_service_pb2 as runbooks
from tests.builders import a_draft_runbook, an_approved_runbook
from tests.rpc.world import World, new_name


class RunbookService:
    def __init__(self, world: World) -> None:
        self._world = world
        self._sessions = world.server.sessions

    async def CreateRunbook(self) -> Message:
        runbook = runbook_pb2.Runbook(team_id=self._world.team_id, name=new_name("runbook"))
        return runbooks.CreateRunbookRequest(runbook=runbook, version=_version())

    async def GetRunbook(self) -> Message:
        return runbooks.GetRunbookRequest(runbook_id=await self._draft())

    async def ListRunbooks(self) -> Message:
        return runbooks.ListRunbooksRequest(team_id=self._world.team_id)

    async def UpdateRunbook(self) -> Message:
        runbook = runbook_pb2.Runbook(id=await self._draft(), name=new_name("renamed"))
        return runbooks.UpdateRunbookRequest(runbook=runbook, update_mask=FieldMask(paths=["name"]))

    async def CreateRunbookVersion(self) -> Message:
        return runbooks.CreateRunbookVersionRequest(runbook_id=await self._draft(), version=_version())

    async def GetRunbookVersion(self) -> Message:
        return runbooks.GetRunbookVersionRequest(runbook_id=await self._draft(), version=1)

    async def ListRunbookVersions(self) -> Message:
        return runbooks.ListRunbookVersionsRequest(runbook_id=await self._draft())

    async def DiffRunbookVersions(self) -> Message:
        return runbooks.DiffRunbookVersionsRequest(runbook_id=await self._draft(), from_version=1, to_version=1)

    async def RollbackRunbook(self) -> Message:
        runbook_id = await self._approved()
        request = runbooks.CreateRunbookVersionRequest(runbook_id=runbook_id, version=_version())
        stub, team = self._world.server.runbooks, self._world.team
        version = (await stub.CreateRunbookVersion(request, metadata=team.author.metadata)).version
        await self._submit(runbook_id)
        approve = runbooks.ApproveRunbookRequest(runbook_id=runbook_id, version=2, digest=version.digest)
        await stub.ApproveRunbook(approve, metadata=team.reviewer.metadata)
        return runbooks.RollbackRunbookRequest(runbook_id=runbook_id, version=1)

    async def SubmitRunbookForReview(self) -> Message:
        return runbooks.SubmitRunbookForReviewRequest(runbook_id=await self._draft())

    async def ApproveRunbook(self) -> Message:
        runbook_id, digest = await self._submitted()
        return runbooks.ApproveRunbookRequest(runbook_id=runbook_id, version=1, digest=digest)

    async def RejectRunbook(self) -> Message:
        runbook_id, digest = await self._submitted()
        return runbooks.RejectRunbookRequest(runbook_id=runbook_id, version=1, digest=digest, comment="no")

    async def WithdrawRunbook(self) -> Message:
        runbook_id, _ = await self._submitted()
        return runbooks.WithdrawRunbookRequest(runbook_id=runbook_id)

    async def DeprecateRunbook(self) -> Message:
        return runbooks.DeprecateRunbookRequest(runbook_id=await self._approved())

    async def ArchiveRunbook(self) -> Message:
        return runbooks.ArchiveRunbookRequest(runbook_id=await self._approved())

    async def RestoreRunbook(self) -> Message:
        archive = runbooks.ArchiveRunbookRequest(runbook_id=await self._approved())
        await self._world.server.runbooks.ArchiveRunbook(archive, metadata=self._world.team.author.metadata)
        return runbooks.RestoreRunbookRequest(runbook_id=archive.runbook_id)

    async def Execute(self) -> Message:
        return runbooks.ExecuteRequest(runbook_id=await self._approved())

    async def WatchExecution(self) -> Message:
        return runbooks.WatchExecutionRequest(execution_id=await self._execution())

    async def GetExecution(self) -> Message:
        return runbooks.GetExecutionRequest(execution_id=await self._execution())

    async def ListExecutions(self) -> Message:
        return runbooks.ListExecutionsRequest(team_id=self._world.team_id)

    async def CancelExecution(self) -> Message:
        return runbooks.CancelExecutionRequest(execution_id=await self._execution())

    async def _draft(self) -> str:
        return str((await a_draft_runbook(self._sessions, self._world.team)).id)

    async def _approved(self) -> str:
        return str((await an_approved_runbook(self._sessions, self._world.team)).id)

    async def _submitted(self) -> tuple[str, str]:
        runbook_id = await self._draft()
        return runbook_id, await self._submit(runbook_id)

    async def _submit(self, runbook_id: str) -> str:
        request = runbooks.SubmitRunbookForReviewRequest(runbook_id=runbook_id)
        stub = self._world.server.runbooks
        submitted = await stub.SubmitRunbookForReview(request, metadata=self._world.team.author.metadata)
        return submitted.version.digest

    async def _execution(self) -> str:
        request = runbooks.ExecuteRequest(runbook_id=await self._approved())
        stream = self._world.server.runbooks.Execute(request, metadata=self._world.team.responder.metadata)
        first = await anext(aiter(stream))
        stream.cancel()
        return first.event.execution.id


def _version() -> runbook_pb2.RunbookVersion:
    return runbook_pb2.RunbookVersion(script="echo hello", language=runbook_pb2.SCRIPT_LANGUAGE_BASH)
