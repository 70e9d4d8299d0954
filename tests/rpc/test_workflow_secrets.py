"""Which secrets a workflow uses can be seen, and none of them goes out in the clear."""

from __future__ import annotations

import pytest

from oncall.v1 import secret_service_pb2, secret_service_pb2_grpc
from oncall.v1 import workflow_pb2 as pb
from oncall.v1 import workflow_service_pb2 as service_pb
from tests.builders import TeamWithPeople
from tests.rpc.audited import audited
from tests.rpc.conftest import RunningServer, refusal_of
from tests.workflows import WorkflowDesk, webhook


@pytest.fixture
def workflows(running_server: RunningServer, team: TeamWithPeople) -> WorkflowDesk:
    return WorkflowDesk(running_server, team)


async def test_which_secrets_a_workflow_uses_is_seen_and_audited(workflows: WorkflowDesk) -> None:
    sessions = workflows.server.sessions
    secrets = secret_service_pb2_grpc.SecretServiceStub(workflows.server.channel)
    metadata = workflows.team.author.metadata
    for name in ("TOKEN", "SIGNS"):
        put = secret_service_pb2.PutSecretRequest(team_id=str(workflows.team.id), name=name, value="hush-hush-hush")
        await secrets.PutSecret(put, metadata=metadata)
    header = pb.WebhookHeader(name="Authorization", secret_name="TOKEN", prefix="Bearer ")
    calls = webhook("call", "https://hooks.example.org/{{ team.id }}", headers=[header], signing_secret_name="SIGNS")
    clear = webhook("clear", "http://hooks.example.org/", headers=[header])
    refused = await refusal_of(workflows.creates([calls, clear]))
    assert refused.fields == ("workflow.nodes[1].webhook.url",)
    workflow = await workflows.creates([calls])
    get = service_pb.GetWorkflowRequest(workflow_id=workflow.id)
    assert list((await workflows.workflows.GetWorkflow(get, metadata=metadata)).workflow.secret_names) == [
        "SIGNS",
        "TOKEN",
    ]
    run = await workflows.run((await workflows.runs(workflow)).id)
    assert list(run.workflow.secret_names) == ["SIGNS", "TOKEN"]
    fewer = webhook("call", "https://other.example.org/", signing_secret_name="SIGNS")
    changed = pb.Workflow(id=workflow.id, nodes=[fewer])
    update = service_pb.UpdateWorkflowRequest(workflow=changed, update_mask={"paths": ["nodes"]})
    await workflows.workflows.UpdateWorkflow(update, metadata=metadata)
    details = [row["detail"] for row in await audited(sessions, resource_id=workflow.id)]
    assert [(one["secret_names"], one["secret_hosts"]) for one in details] == [
        ("SIGNS,TOKEN", "hooks.example.org"),
        ("SIGNS", "other.example.org"),
    ]
    assert "hush" not in repr(details)
