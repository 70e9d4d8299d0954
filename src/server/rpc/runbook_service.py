"""RunbookService: translates, calls, translates."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from kernel.cipher import Cipher
from kernel.errors import FieldViolation, InvalidArgument
from kernel.execution.event import Event
from oncall.v1 import execution_pb2, runbook_pb2, runbook_service_pb2_grpc
from oncall.v1 import runbook_service_pb2 as pb
from server.domain.execution import Execution
from server.operations import change_runbook, create_runbook, read_executions, read_runbooks, review_runbook
from server.operations.announce import Announcer
from server.operations.cancel_execution import cancel_execution
from server.operations.environment import Environment
from server.operations.execute_runbook import ExecutionOrder, execute_runbook
from server.operations.follow_execution import ExecutionLogs
from server.rpc.conversion import enum_from_pb, page_request, request_key, struct_from_pb
from server.rpc.current_call import current_call, serving
from server.rpc.execution_conversion import event_to_pb, execution_to_pb
from server.rpc.interception import Context
from server.rpc.runbook_conversion import (
    decision_from_pb,
    runbook_from_pb,
    runbook_to_pb,
    update_from_pb,
    version_from_pb,
    version_to_pb,
)


class RunbookService(runbook_service_pb2_grpc.RunbookServiceServicer):
    def __init__(self, env: Environment, cipher: Cipher, announcer: Announcer, logs: ExecutionLogs) -> None:
        self._env = env
        self._cipher = cipher
        self._announcer = announcer
        self._logs = logs

    async def CreateRunbook(self, request: pb.CreateRunbookRequest, context: Context) -> pb.CreateRunbookResponse:
        runbook, version = await create_runbook.create_runbook(
            self._env,
            current_call(),
            runbook_from_pb(request.runbook),
            version_from_pb(request.version),
            request_key(request),
        )
        return pb.CreateRunbookResponse(runbook=runbook_to_pb(runbook), version=version_to_pb(version))

    async def GetRunbook(self, request: pb.GetRunbookRequest, context: Context) -> pb.GetRunbookResponse:
        runbook = await read_runbooks.get_runbook(self._env, current_call(), request.runbook_id)
        return pb.GetRunbookResponse(runbook=runbook_to_pb(runbook))

    async def ListRunbooks(self, request: pb.ListRunbooksRequest, context: Context) -> pb.ListRunbooksResponse:
        page = await read_runbooks.list_runbooks(
            self._env,
            current_call(),
            team_id=request.team_id,
            service_id=request.service_id,
            status=enum_from_pb(runbook_pb2.RunbookStatus, "RUNBOOK_STATUS_", request.status),
            query=request.query,
            request=page_request(request),
        )
        return pb.ListRunbooksResponse(runbooks=page.map(runbook_to_pb), next_page_token=page.next_token)

    async def CreateRunbookVersion(
        self, request: pb.CreateRunbookVersionRequest, context: Context
    ) -> pb.CreateRunbookVersionResponse:
        version = await create_runbook.create_version(
            self._env,
            current_call(),
            request.runbook_id,
            version_from_pb(request.version),
            request_key(request),
            etag=request.etag,
        )
        return pb.CreateRunbookVersionResponse(version=version_to_pb(version))

    async def GetRunbookVersion(
        self, request: pb.GetRunbookVersionRequest, context: Context
    ) -> pb.GetRunbookVersionResponse:
        version = await read_runbooks.get_version(self._env, current_call(), request.runbook_id, request.version)
        return pb.GetRunbookVersionResponse(version=version_to_pb(version))

    async def ListRunbookVersions(
        self, request: pb.ListRunbookVersionsRequest, context: Context
    ) -> pb.ListRunbookVersionsResponse:
        page = await read_runbooks.list_versions(self._env, current_call(), request.runbook_id, page_request(request))
        return pb.ListRunbookVersionsResponse(versions=page.map(version_to_pb), next_page_token=page.next_token)

    async def DiffRunbookVersions(
        self, request: pb.DiffRunbookVersionsRequest, context: Context
    ) -> pb.DiffRunbookVersionsResponse:
        diff = await read_runbooks.diff_versions(
            self._env, current_call(), request.runbook_id, request.from_version, request.to_version
        )
        return pb.DiffRunbookVersionsResponse(diff=diff)

    async def UpdateRunbook(self, request: pb.UpdateRunbookRequest, context: Context) -> pb.UpdateRunbookResponse:
        runbook = await change_runbook.update_runbook(self._env, current_call(), update_from_pb(request))
        return pb.UpdateRunbookResponse(runbook=runbook_to_pb(runbook))

    async def RollbackRunbook(self, request: pb.RollbackRunbookRequest, context: Context) -> pb.RollbackRunbookResponse:
        runbook = await change_runbook.rollback_runbook(
            self._env, current_call(), request.runbook_id, request.version, etag=request.etag
        )
        return pb.RollbackRunbookResponse(runbook=runbook_to_pb(runbook))

    async def SubmitRunbookForReview(
        self, request: pb.SubmitRunbookForReviewRequest, context: Context
    ) -> pb.SubmitRunbookForReviewResponse:
        runbook, version = await review_runbook.submit_for_review(
            self._env, current_call(), request.runbook_id, request.version, etag=request.etag
        )
        return pb.SubmitRunbookForReviewResponse(runbook=runbook_to_pb(runbook), version=version_to_pb(version))

    async def WithdrawRunbook(self, request: pb.WithdrawRunbookRequest, context: Context) -> pb.WithdrawRunbookResponse:
        runbook, version = await review_runbook.withdraw_version(
            self._env, current_call(), request.runbook_id, request.version, etag=request.etag
        )
        return pb.WithdrawRunbookResponse(runbook=runbook_to_pb(runbook), version=version_to_pb(version))

    async def ApproveRunbook(self, request: pb.ApproveRunbookRequest, context: Context) -> pb.ApproveRunbookResponse:
        runbook, version = await review_runbook.approve_version(self._env, current_call(), decision_from_pb(request))
        return pb.ApproveRunbookResponse(runbook=runbook_to_pb(runbook), version=version_to_pb(version))

    async def RejectRunbook(self, request: pb.RejectRunbookRequest, context: Context) -> pb.RejectRunbookResponse:
        runbook, version = await review_runbook.reject_version(self._env, current_call(), decision_from_pb(request))
        return pb.RejectRunbookResponse(runbook=runbook_to_pb(runbook), version=version_to_pb(version))

    async def DeprecateRunbook(
        self, request: pb.DeprecateRunbookRequest, context: Context
    ) -> pb.DeprecateRunbookResponse:
        runbook = await change_runbook.deprecate_runbook(
            self._env, current_call(), request.runbook_id, etag=request.etag
        )
        return pb.DeprecateRunbookResponse(runbook=runbook_to_pb(runbook))

    async def ArchiveRunbook(self, request: pb.ArchiveRunbookRequest, context: Context) -> pb.ArchiveRunbookResponse:
        runbook = await change_runbook.archive_runbook(self._env, current_call(), request.runbook_id, etag=request.etag)
        return pb.ArchiveRunbookResponse(runbook=runbook_to_pb(runbook))

    async def RestoreRunbook(self, request: pb.RestoreRunbookRequest, context: Context) -> pb.RestoreRunbookResponse:
        runbook = await change_runbook.restore_runbook(self._env, current_call(), request.runbook_id, etag=request.etag)
        return pb.RestoreRunbookResponse(runbook=runbook_to_pb(runbook))

    async def Execute(self, request: pb.ExecuteRequest, context: Context) -> AsyncIterator[pb.ExecuteResponse]:
        order = ExecutionOrder(
            runbook_id=request.runbook_id,
            version=request.version,
            parameters=struct_from_pb(request.parameters),
            incident_id=request.incident_id,
            confirm=request.confirm,
        )
        started = await execute_runbook(
            self._env,
            current_call(),
            self._cipher,
            self._announcer,
            order,
            request_key(request),
            read=serving().runbook,
        )
        async with aclosing(self._events(started.execution, 0, started.first)) as events:
            async for event in events:
                yield pb.ExecuteResponse(event=event)

    async def WatchExecution(
        self, request: pb.WatchExecutionRequest, context: Context
    ) -> AsyncIterator[pb.WatchExecutionResponse]:
        if request.after_sequence < 0:
            raise InvalidArgument([FieldViolation("after_sequence", "must not be negative")])
        execution = await read_executions.get_execution(self._env, current_call(), request.execution_id, whole=False)
        async with aclosing(self._events(execution, request.after_sequence)) as events:
            async for event in events:
                yield pb.WatchExecutionResponse(event=event)

    async def GetExecution(self, request: pb.GetExecutionRequest, context: Context) -> pb.GetExecutionResponse:
        execution = await read_executions.get_execution(self._env, current_call(), request.execution_id)
        return pb.GetExecutionResponse(execution=execution_to_pb(execution))

    async def ListExecutions(self, request: pb.ListExecutionsRequest, context: Context) -> pb.ListExecutionsResponse:
        page = await read_executions.list_executions(
            self._env,
            current_call(),
            team_id=request.team_id,
            runbook_id=request.runbook_id,
            incident_id=request.incident_id,
            workflow_run_id=request.workflow_run_id,
            status=enum_from_pb(execution_pb2.ExecutionStatus, "EXECUTION_STATUS_", request.status),
            request=page_request(request),
        )
        return pb.ListExecutionsResponse(executions=page.map(execution_to_pb), next_page_token=page.next_token)

    async def CancelExecution(self, request: pb.CancelExecutionRequest, context: Context) -> pb.CancelExecutionResponse:
        execution = await cancel_execution(self._env, current_call(), self._announcer, request.execution_id)
        return pb.CancelExecutionResponse(execution=execution_to_pb(execution))

    async def _events(
        self, execution: Execution, after: int, first: Event | None = None
    ) -> AsyncGenerator[execution_pb2.ExecutionEvent, None]:
        async with aclosing(self._logs.follow(execution, after, first=first)) as events:
            async for event in events:
                yield event_to_pb(execution, event)
