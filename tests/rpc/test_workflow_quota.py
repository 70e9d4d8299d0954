"""How many workflows and how many active runs a team may have."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from oncall.errors import OncallError, from_rpc_error
from oncall.v1 import workflow_service_pb2 as service_pb
from server.domain.workflow import quota
from tests.builders import TeamWithPeople, a_team
from tests.rpc.conftest import RunningServer
from tests.workflows import WorkflowDesk, approval


@pytest.fixture
def workflows(running_server: RunningServer, team: TeamWithPeople) -> WorkflowDesk:
    return WorkflowDesk(running_server, team)


def full(error: grpc.RpcError) -> OncallError:
    refused = from_rpc_error(error)
    assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    return refused


async def test_a_team_has_so_many_workflows_at_most(workflows: WorkflowDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "MOST_WORKFLOWS", 3)
    one = await workflows.creates([approval("ask")])
    made = await asyncio.gather(*(workflows.creates([approval("ask")]) for _ in range(6)), return_exceptions=True)
    refused = [full(error) for error in made if isinstance(error, grpc.RpcError)]
    assert len(refused) == 4  # also of those that came at once
    assert {(error.reason, error.metadata["limit"]) for error in refused} == {("TOO_MANY_WORKFLOWS", "3")}
    other = WorkflowDesk(workflows.server, await a_team(workflows.server.sessions))
    await other.creates([approval("ask")])
    delete = service_pb.DeleteWorkflowRequest(workflow_id=one.id)
    await workflows.workflows.DeleteWorkflow(delete, metadata=workflows.team.author.metadata)
    await workflows.creates([approval("ask")])


async def test_a_repeat_of_what_made_the_last_workflow_is_answered(
    workflows: WorkflowDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota, "MOST_WORKFLOWS", 1)
    request = service_pb.CreateWorkflowRequest(workflow=workflows.draft([approval("ask")]), request_id="once")
    metadata = workflows.team.author.metadata
    first = await workflows.workflows.CreateWorkflow(request, metadata=metadata)
    assert await workflows.workflows.CreateWorkflow(request, metadata=metadata) == first


async def test_so_many_runs_of_a_team_go_on_at_most(workflows: WorkflowDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "MOST_ACTIVE_RUNS", 2)
    workflow = await workflows.creates([approval("ask")])
    first, _ = await workflows.runs(workflow), await workflows.runs(workflow)
    with pytest.raises(grpc.RpcError) as refusal:
        await workflows.runs(workflow)
    refused = full(refusal.value)
    assert (refused.reason, refused.metadata["limit"]) == ("TOO_MANY_RUNS", "2")
    await workflows.moves(first.id)
    await workflows.decides(first.id, "ask")
    await workflows.moves(first.id)
    await workflows.runs(workflow)
