"""A valid request for every RPC of WorkflowService; see `valid_requests`."""
# ruff: noqa: N802 - the methods are named for the RPCs

from __future__ import annotations

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from oncall.v1 import workflow_pb2
from oncall.v1 import workflow_service_pb2 as workflows
from tests.rpc.world import World, new_name
from tests.workflows import WorkflowDesk, approval


class WorkflowService:
    def __init__(self, world: World) -> None:
        self._world = world
        self._desk = WorkflowDesk(world.server, world.team)

    async def CreateWorkflow(self) -> Message:
        return workflows.CreateWorkflowRequest(workflow=self._desk.draft([approval("ask")], name=new_name("workflow")))

    async def GetWorkflow(self) -> Message:
        return workflows.GetWorkflowRequest(workflow_id=await self._workflow())

    async def ListWorkflows(self) -> Message:
        return workflows.ListWorkflowsRequest(team_id=self._world.team_id)

    async def UpdateWorkflow(self) -> Message:
        workflow = workflow_pb2.Workflow(id=await self._workflow(), name=new_name("renamed"))
        return workflows.UpdateWorkflowRequest(workflow=workflow, update_mask=FieldMask(paths=["name"]))

    async def DeleteWorkflow(self) -> Message:
        return workflows.DeleteWorkflowRequest(workflow_id=await self._workflow())

    async def RunWorkflow(self) -> Message:
        return workflows.RunWorkflowRequest(workflow_id=await self._workflow())

    async def GetWorkflowRun(self) -> Message:
        return workflows.GetWorkflowRunRequest(workflow_run_id=await self._run())

    async def ListWorkflowRuns(self) -> Message:
        return workflows.ListWorkflowRunsRequest(team_id=self._world.team_id)

    async def WatchWorkflowRun(self) -> Message:
        return workflows.WatchWorkflowRunRequest(workflow_run_id=await self._run())

    async def CancelWorkflowRun(self) -> Message:
        return workflows.CancelWorkflowRunRequest(workflow_run_id=await self._run())

    async def DecideApproval(self) -> Message:
        run_id = await self._run()
        await self._desk.moves(run_id)
        return workflows.DecideApprovalRequest(
            workflow_run_id=run_id, node="ask", decision=workflows.APPROVAL_DECISION_APPROVE
        )

    async def _workflow(self) -> str:
        return (await self._desk.creates([approval("ask")])).id

    async def _run(self) -> str:
        """A run of the author's, so that whoever asks may decide."""
        workflow = await self._desk.creates([approval("ask")])
        return (await self._desk.runs(workflow, by=self._world.team.author)).id
