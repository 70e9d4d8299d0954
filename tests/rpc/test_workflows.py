"""Workflows are checked as a whole before they are kept, and versioned when what runs changes."""

from __future__ import annotations

import math
from typing import Any

import grpc
import pytest

from kernel.execution.content import ParameterDefinition, ParameterType, ScriptLanguage, VersionContent
from oncall.v1 import runbook_service_pb2, team_pb2
from oncall.v1 import workflow_pb2 as pb
from oncall.v1 import workflow_service_pb2 as service_pb
from tests.builders import TeamWithPeople, a_draft_runbook, a_team, an_approved_runbook
from tests.receivers import a_channel
from tests.rpc.conftest import Refusal, RunningServer, refusal_of
from tests.workflows import (
    CREATED,
    FAILURE,
    MANUAL,
    TRUE,
    WorkflowDesk,
    approval,
    condition,
    delay,
    edge,
    notify,
    runbook,
    webhook,
)

INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
def workflows(running_server: RunningServer, team: TeamWithPeople) -> WorkflowDesk:
    return WorkflowDesk(running_server, team)


async def get(workflows: WorkflowDesk, workflow_id: str) -> pb.Workflow:
    request = service_pb.GetWorkflowRequest(workflow_id=workflow_id)
    return (await workflows.workflows.GetWorkflow(request, metadata=workflows.team.observer.metadata)).workflow


async def change(workflows: WorkflowDesk, workflow: pb.Workflow, *paths: str) -> pb.Workflow:
    request = service_pb.UpdateWorkflowRequest(workflow=workflow, update_mask={"paths": paths})
    return (await workflows.workflows.UpdateWorkflow(request, metadata=workflows.team.author.metadata)).workflow


async def test_everything_that_is_said_of_a_workflow_is_kept(workflows: WorkflowDesk) -> None:
    content = VersionContent(
        "true", ScriptLanguage.BASH, (ParameterDefinition("count", ParameterType.INTEGER, required=True),)
    )
    made = await an_approved_runbook(workflows.server.sessions, workflows.team, content)
    channel = await a_channel(workflows.server.sessions, workflows.team, "https://example.org")
    draft = workflows.draft(
        [
            runbook("do", made.id, {"count": "{{ 1 + 1 }}"}, timeout_seconds=60),
            condition("well", "nodes.do.exit_code == 0"),
            notify("say", "Done", "All of it", channels=[str(channel.id)]),
            webhook("call", "https://example.org/{{ team.id }}", {"a": [1, "{{ team.name }}", None]}, method="PUT"),
            delay("wait", 5),
            approval("ask", "Sure?", role=team_pb2.ROLE_TEAM_ADMIN, expires=60, join=pb.WORKFLOW_JOIN_ALL),
        ],
        edge("do", "well"),
        edge("well", "say", TRUE),
        edge("well", "call", TRUE),
        edge("call", "wait", FAILURE),
        edge("say", "ask"),
        edge("call", "ask"),
        name="everything",
        description="Does it all.",
        event=CREATED,
        condition='incident.severity == "SEV1"',
        timeout_seconds=600,
        brake=pb.WorkflowBrake(condition='incident.severity == "SEV1"', failed_runs=3),
        compensation=pb.WorkflowCompensation(
            runbook=pb.RunbookWork(runbook_id=str(made.id), parameters={"count": 1}), expires_seconds=60
        ),
    )
    request = service_pb.CreateWorkflowRequest(workflow=draft)
    created = (await workflows.workflows.CreateWorkflow(request, metadata=workflows.team.author.metadata)).workflow
    assert created == await get(workflows, created.id)
    assert (created.version, created.created_by) == (1, str(workflows.team.author.id))
    expected = pb.Workflow()
    expected.CopyFrom(draft)
    for node in expected.nodes:
        node.join = node.join or pb.WORKFLOW_JOIN_ANY
    for one in expected.edges:
        one.on = one.on or pb.WORKFLOW_EDGE_ON_SUCCESS
    expected.compensation.role = team_pb2.ROLE_RESPONDER
    for name in ("id", "version", "etag", "created_by"):
        setattr(expected, name, getattr(created, name))
    expected.created_at.CopyFrom(created.created_at)
    expected.updated_at.CopyFrom(created.updated_at)
    assert created == expected
    (listed,) = await listed_of(workflows, event=CREATED)
    assert (listed.id, listed.name, list(listed.nodes)) == (created.id, "everything", [])
    assert await listed_of(workflows, event=MANUAL) == []


async def listed_of(workflows: WorkflowDesk, **wanted: Any) -> list[pb.Workflow]:
    request = service_pb.ListWorkflowsRequest(team_id=str(workflows.team.id), **wanted)
    answer = await workflows.workflows.ListWorkflows(request, metadata=workflows.team.observer.metadata)
    return list(answer.workflows)


async def test_all_that_is_wrong_is_said_at_once_and_nothing_is_kept(workflows: WorkflowDesk) -> None:
    sessions = workflows.server.sessions
    draft = await a_draft_runbook(sessions, workflows.team)
    theirs = await an_approved_runbook(sessions, await a_team(sessions))
    before = await workflows.server.everything_stored()
    refused = await refusal_of(
        workflows.creates(
            [
                runbook("a", draft.id),
                runbook("b", theirs.id),
                condition("c", "nodes.nobody.exit_code =="),
                approval("a", "{{ nobody }}"),
            ],
            edge("c", "b"),
            edge("b", "c"),
            condition="team.name",
        )
    )
    assert (refused.code, refused.reason) == (INVALID, "INVALID_ARGUMENT")
    for field in (
        "workflow.trigger.condition",
        "workflow.nodes[0].runbook.runbook_id",
        "workflow.nodes[1].runbook.runbook_id",
        "workflow.nodes[2].condition.expression",
        "workflow.nodes",
        "workflow.nodes[3].approval.question",
    ):
        assert field in refused.fields
    assert any(field.startswith("workflow.edges") for field in refused.fields)
    assert await workflows.server.everything_stored() == before


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
async def test_a_number_that_is_no_json_is_refused_at_its_place(workflows: WorkflowDesk, number: float) -> None:
    node = webhook("a", "https://example.org/")
    node.webhook.body["list"] = [1, {"deep": number}]
    refused = await refusal_of(workflows.creates([node]))
    assert (refused.code, refused.reason) == (INVALID, "INVALID_ARGUMENT")
    assert "workflow.nodes[0].webhook.body.list[1].deep" in refused.fields


async def test_a_change_of_what_runs_is_a_new_version_and_any_other_is_not(workflows: WorkflowDesk) -> None:
    workflow = await workflows.creates([approval("ask")])
    renamed = await change(workflows, pb.Workflow(id=workflow.id, description="Told."), "description")
    assert (renamed.version, renamed.description) == (1, "Told.")
    assert renamed.etag != workflow.etag
    off = await change(workflows, pb.Workflow(id=workflow.id), "enabled")
    assert (off.version, off.enabled) == (1, False)
    longer = await change(workflows, pb.Workflow(id=workflow.id, timeout_seconds=60), "timeout_seconds")
    assert longer.version == 2
    same = await change(workflows, pb.Workflow(id=workflow.id, timeout_seconds=60), "timeout_seconds")
    assert same == longer


async def test_a_change_by_somebody_who_read_an_older_one_is_refused(workflows: WorkflowDesk) -> None:
    workflow = await workflows.creates([approval("ask")])
    await change(workflows, pb.Workflow(id=workflow.id, description="x"), "description")
    stale = pb.Workflow(id=workflow.id, etag=workflow.etag, description="y")
    refused = await refusal_of(change(workflows, stale, "description"))
    assert refused == Refusal(grpc.StatusCode.ABORTED, "STALE_ETAG")
    delete = service_pb.DeleteWorkflowRequest(workflow_id=workflow.id, etag=workflow.etag)
    metadata = workflows.team.author.metadata
    refused = await refusal_of(workflows.workflows.DeleteWorkflow(delete, metadata=metadata))
    assert refused == Refusal(grpc.StatusCode.ABORTED, "STALE_ETAG")


async def test_a_workflow_can_be_switched_off_though_its_runbook_is_gone(workflows: WorkflowDesk) -> None:
    made = await an_approved_runbook(workflows.server.sessions, workflows.team)
    workflow = await workflows.creates([runbook("do", made.id)])
    archive = runbook_service_pb2.ArchiveRunbookRequest(runbook_id=str(made.id))
    await workflows.server.runbooks.ArchiveRunbook(archive, metadata=workflows.team.author.metadata)
    assert not (await change(workflows, pb.Workflow(id=workflow.id), "enabled")).enabled
    refused = await refusal_of(change(workflows, pb.Workflow(id=workflow.id, enabled=True), "enabled"))
    assert refused.fields == ("workflow.nodes[0].runbook.runbook_id",)


async def test_a_name_is_one_workflows_of_the_team(workflows: WorkflowDesk) -> None:
    first = await workflows.creates([approval("ask")], name="only")
    taken = Refusal(grpc.StatusCode.ALREADY_EXISTS, "NAME_TAKEN")
    assert await refusal_of(workflows.creates([approval("ask")], name="only")) == taken
    second = await workflows.creates([approval("ask")])
    assert await refusal_of(change(workflows, pb.Workflow(id=second.id, name="only"), "name")) == taken
    delete = service_pb.DeleteWorkflowRequest(workflow_id=first.id)
    await workflows.workflows.DeleteWorkflow(delete, metadata=workflows.team.author.metadata)
    refused = await refusal_of(get(workflows, first.id))
    assert refused == Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    await workflows.creates([approval("ask")], name="only")


async def test_a_mask_names_what_can_be_changed_and_something(workflows: WorkflowDesk) -> None:
    workflow = await workflows.creates([approval("ask")])
    for paths in ((), ("version",), ("name", "team_id")):
        refused = await refusal_of(change(workflows, pb.Workflow(id=workflow.id, name="x"), *paths))
        assert refused == Refusal(INVALID, "INVALID_ARGUMENT", ("update_mask",))


async def test_a_run_by_hand_names_an_incident_where_one_is_spoken_of(workflows: WorkflowDesk) -> None:
    workflow = await workflows.creates([approval("ask", "{{ incident.title }}?")])
    refused = await refusal_of(workflows.runs(workflow))
    assert refused == Refusal(INVALID, "INVALID_ARGUMENT", ("incident_id",))
    others = WorkflowDesk(workflows.server, await a_team(workflows.server.sessions))
    foreign = await others.an_incident()
    refused = await refusal_of(workflows.runs(workflow, incident_id=foreign.id))
    assert refused == Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    incident = await workflows.an_incident(title="Down")
    run = await workflows.runs(workflow, incident_id=incident.id)
    await workflows.moves(run.id)
    assert (await workflows.run(run.id)).nodes[0].question == "Down?"


async def test_creating_a_workflow_again_with_the_same_request_id_answers_the_first(workflows: WorkflowDesk) -> None:
    request = service_pb.CreateWorkflowRequest(workflow=workflows.draft([approval("ask")]), request_id="once")
    metadata = workflows.team.author.metadata
    first = await workflows.workflows.CreateWorkflow(request, metadata=metadata)
    assert await workflows.workflows.CreateWorkflow(request, metadata=metadata) == first
    request.workflow.name = "another"
    refused = await refusal_of(workflows.workflows.CreateWorkflow(request, metadata=metadata))
    assert refused == Refusal(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
