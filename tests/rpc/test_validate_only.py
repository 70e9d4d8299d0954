"""A workflow that is only to be checked is judged as any other, and nothing of it is stored."""

from __future__ import annotations

import grpc
import pytest

from oncall.v1 import workflow_pb2 as pb
from oncall.v1 import workflow_service_pb2 as service_pb
from tests.builders import TeamWithPeople
from tests.rpc.conftest import Refusal, RunningServer, refusal_of
from tests.workflows import WorkflowDesk, approval


@pytest.fixture
def workflows(running_server: RunningServer, team: TeamWithPeople) -> WorkflowDesk:
    return WorkflowDesk(running_server, team)


async def test_a_workflow_that_is_only_validated_is_judged_as_any_other_and_not_stored(workflows: WorkflowDesk) -> None:
    stub, metadata = workflows.workflows, workflows.team.author.metadata
    there = await workflows.creates([approval("ask")], name="there")
    draft = workflows.draft([approval("ask")], name="new")
    before = await workflows.server.everything_stored()

    request = service_pb.CreateWorkflowRequest(workflow=draft, request_id="once", validate_only=True)
    for _ in range(2):
        answer = (await stub.CreateWorkflow(request, metadata=metadata)).workflow
        assert (answer.name, answer.version, answer.id, answer.etag, answer.created_by) == ("new", 1, "", "", "")
        assert not answer.HasField("created_at")
    request.workflow.name = "there"
    taken = Refusal(grpc.StatusCode.ALREADY_EXISTS, "NAME_TAKEN")
    assert await refusal_of(stub.CreateWorkflow(request, metadata=metadata)) == taken
    request.workflow.nodes[0].approval.question = "{{ nobody }}"
    refused = await refusal_of(stub.CreateWorkflow(request, metadata=metadata))
    assert refused.fields == ("workflow.nodes[0].approval.question",)
    refused = await refusal_of(stub.CreateWorkflow(request, metadata=workflows.team.responder.metadata))
    assert refused.code is grpc.StatusCode.PERMISSION_DENIED
    assert await workflows.server.everything_stored() == before

    created = await workflows.creates([approval("ask")], name="new")
    stored = await workflows.server.everything_stored()
    changed = pb.Workflow(id=created.id, etag=created.etag, timeout_seconds=60)
    update = service_pb.UpdateWorkflowRequest(
        workflow=changed, update_mask={"paths": ["timeout_seconds"]}, validate_only=True
    )
    answer = (await stub.UpdateWorkflow(update, metadata=metadata)).workflow
    assert (answer.id, answer.version, answer.timeout_seconds, answer.etag) == (created.id, 2, 60, "")
    update.workflow.name = there.name
    update.update_mask.paths[:] = ["name"]
    assert await refusal_of(stub.UpdateWorkflow(update, metadata=metadata)) == taken
    update.workflow.etag = "stale"
    refused = await refusal_of(stub.UpdateWorkflow(update, metadata=metadata))
    assert refused == Refusal(grpc.StatusCode.ABORTED, "STALE_ETAG")
    assert await workflows.server.everything_stored() == stored


async def test_a_repeat_that_is_only_validated_uses_no_request_id(workflows: WorkflowDesk) -> None:
    metadata = workflows.team.author.metadata
    request = service_pb.CreateWorkflowRequest(workflow=workflows.draft([approval("ask")]), request_id="once")
    request.validate_only = True
    await workflows.workflows.CreateWorkflow(request, metadata=metadata)
    request.validate_only = False
    assert (await workflows.workflows.CreateWorkflow(request, metadata=metadata)).workflow.id
