"""WorkflowService: translates, calls, translates."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from oncall.v1 import workflow_pb2, workflow_service_pb2_grpc
from oncall.v1 import workflow_service_pb2 as pb
from server.domain.workflow.workflow import Workflow
from server.operations import read_runs, read_workflows, save_workflow
from server.operations.announce import Announcer
from server.operations.cancel_run import cancel_run
from server.operations.decide_approval import decide_approval
from server.operations.environment import Environment
from server.operations.run_workflow import run_workflow
from server.operations.watch_run import RunWatches
from server.rpc.conversion import page_request, request_key
from server.rpc.current_call import current_call
from server.rpc.interception import Context
from server.rpc.workflow_conversion import draft_from_pb, event_from_pb, update_from_pb, workflow_to_pb
from server.rpc.workflow_run_conversion import run_query_from_pb, run_to_pb, whole_run_to_pb, word_from_pb


class WorkflowService(workflow_service_pb2_grpc.WorkflowServiceServicer):
    def __init__(self, env: Environment, announcer: Announcer, watches: RunWatches) -> None:
        self._env = env
        self._announcer = announcer
        self._watches = watches

    async def CreateWorkflow(self, request: pb.CreateWorkflowRequest, context: Context) -> pb.CreateWorkflowResponse:
        sent = request.workflow
        workflow = await save_workflow.create_workflow(
            self._env,
            current_call(),
            sent.team_id,
            draft_from_pb(sent),
            enabled=sent.enabled,
            key=request_key(request),
            validate_only=request.validate_only,
        )
        answer = _checked_to_pb(workflow, made=True) if request.validate_only else workflow_to_pb(workflow)
        return pb.CreateWorkflowResponse(workflow=answer)

    async def GetWorkflow(self, request: pb.GetWorkflowRequest, context: Context) -> pb.GetWorkflowResponse:
        workflow = await read_workflows.get_workflow(self._env, current_call(), request.workflow_id)
        return pb.GetWorkflowResponse(workflow=workflow_to_pb(workflow))

    async def ListWorkflows(self, request: pb.ListWorkflowsRequest, context: Context) -> pb.ListWorkflowsResponse:
        page = await read_workflows.list_workflows(
            self._env,
            current_call(),
            team_id=request.team_id,
            event=event_from_pb(request.event),
            request=page_request(request),
        )
        return pb.ListWorkflowsResponse(workflows=page.map(workflow_to_pb), next_page_token=page.next_token)

    async def UpdateWorkflow(self, request: pb.UpdateWorkflowRequest, context: Context) -> pb.UpdateWorkflowResponse:
        workflow = await save_workflow.update_workflow(self._env, current_call(), update_from_pb(request))
        answer = _checked_to_pb(workflow) if request.validate_only else workflow_to_pb(workflow)
        return pb.UpdateWorkflowResponse(workflow=answer)

    async def DeleteWorkflow(self, request: pb.DeleteWorkflowRequest, context: Context) -> pb.DeleteWorkflowResponse:
        await save_workflow.delete_workflow(self._env, current_call(), request.workflow_id, etag=request.etag)
        return pb.DeleteWorkflowResponse()

    async def RunWorkflow(self, request: pb.RunWorkflowRequest, context: Context) -> pb.RunWorkflowResponse:
        run = await run_workflow(
            self._env,
            current_call(),
            self._announcer,
            workflow_id=request.workflow_id,
            incident_id=request.incident_id,
            key=request_key(request),
        )
        return pb.RunWorkflowResponse(workflow_run=whole_run_to_pb(run))

    async def GetWorkflowRun(self, request: pb.GetWorkflowRunRequest, context: Context) -> pb.GetWorkflowRunResponse:
        run = await read_runs.get_run(self._env, current_call(), request.workflow_run_id)
        return pb.GetWorkflowRunResponse(workflow_run=whole_run_to_pb(run))

    async def ListWorkflowRuns(
        self, request: pb.ListWorkflowRunsRequest, context: Context
    ) -> pb.ListWorkflowRunsResponse:
        page = await read_runs.list_runs(self._env, current_call(), run_query_from_pb(request), page_request(request))
        return pb.ListWorkflowRunsResponse(workflow_runs=page.map(run_to_pb), next_page_token=page.next_token)

    async def WatchWorkflowRun(
        self, request: pb.WatchWorkflowRunRequest, context: Context
    ) -> AsyncIterator[pb.WatchWorkflowRunResponse]:
        call = current_call()
        run = await read_runs.get_run(self._env, call, request.workflow_run_id)
        async with aclosing(self._watches.watch(call, run)) as states:
            async for state in states:
                yield pb.WatchWorkflowRunResponse(workflow_run=whole_run_to_pb(state))

    async def CancelWorkflowRun(
        self, request: pb.CancelWorkflowRunRequest, context: Context
    ) -> pb.CancelWorkflowRunResponse:
        run = await cancel_run(self._env, current_call(), self._announcer, request.workflow_run_id)
        return pb.CancelWorkflowRunResponse(workflow_run=whole_run_to_pb(run))

    async def DecideApproval(self, request: pb.DecideApprovalRequest, context: Context) -> pb.DecideApprovalResponse:
        run = await decide_approval(self._env, current_call(), self._announcer, word_from_pb(request))
        return pb.DecideApprovalResponse(workflow_run=whole_run_to_pb(run))


def _checked_to_pb(workflow: Workflow, *, made: bool = False) -> workflow_pb2.Workflow:
    """Answers a workflow that was checked only, without what storing would give to one that is `made`, or changed."""
    message = workflow_to_pb(workflow)
    for field in ("etag", "updated_at", *(("id", "created_by", "created_at") if made else ())):
        message.ClearField(field)
    return message
