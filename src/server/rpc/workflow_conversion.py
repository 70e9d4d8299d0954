"""Workflows between the contract and the domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct, Value

from oncall.v1 import team_pb2, workflow_service_pb2
from oncall.v1 import workflow_pb2 as pb
from server.domain.permission import Role
from server.domain.workflow.definition import (
    ApprovalWork,
    ConditionWork,
    Definition,
    DelayWork,
    Header,
    Json,
    Node,
    NotifyWork,
    RunbookWork,
    WebhookWork,
)
from server.domain.workflow.draft import (
    ApprovalDraft,
    BrakeDraft,
    CompensationDraft,
    ConditionDraft,
    DelayDraft,
    EdgeDraft,
    NodeDraft,
    NotifyDraft,
    RunbookDraft,
    WebhookDraft,
    WorkDraft,
    WorkflowDraft,
)
from server.domain.workflow.workflow import Workflow
from server.operations.save_workflow import WorkflowUpdate
from server.rpc.conversion import enum_from_pb, enum_to_pb, time_to_pb

EVENT_PREFIX = "WORKFLOW_EVENT_"
JOIN_PREFIX = "WORKFLOW_JOIN_"
ON_PREFIX = "WORKFLOW_EDGE_ON_"


def event_from_pb(number: int) -> str:
    return enum_from_pb(pb.WorkflowEvent, EVENT_PREFIX, number)


def draft_from_pb(workflow: pb.Workflow) -> WorkflowDraft:
    return WorkflowDraft(
        name=workflow.name,
        description=workflow.description,
        event=event_from_pb(workflow.trigger.event),
        condition=workflow.trigger.condition,
        nodes=[_node_from_pb(node) for node in workflow.nodes],
        edges=[
            EdgeDraft(edge.from_node, edge.to_node, enum_from_pb(pb.WorkflowEdgeOn, ON_PREFIX, edge.on))
            for edge in workflow.edges
        ],
        timeout_seconds=workflow.timeout_seconds,
        brake=BrakeDraft(workflow.brake.condition, workflow.brake.failed_runs) if workflow.HasField("brake") else None,
        compensation=_compensation_from_pb(workflow.compensation) if workflow.HasField("compensation") else None,
    )


def update_from_pb(request: workflow_service_pb2.UpdateWorkflowRequest) -> WorkflowUpdate:
    return WorkflowUpdate(
        workflow_id=request.workflow.id,
        draft=draft_from_pb(request.workflow),
        enabled=request.workflow.enabled,
        etag=request.workflow.etag,
        paths=list(request.update_mask.paths),
        validate_only=request.validate_only,
    )


def workflow_to_pb(workflow: Workflow) -> pb.Workflow:
    message = definition_to_pb(workflow.definition)
    message.id = str(workflow.id)
    message.team_id = str(workflow.team_id)
    message.description = workflow.description
    message.enabled = workflow.enabled
    message.version = workflow.version
    message.etag = workflow.etag
    message.created_by = str(workflow.created_by)
    message.created_at.FromDatetime(workflow.created_at)
    message.updated_at.CopyFrom(time_to_pb(workflow.updated_at) or message.updated_at)
    return message


def definition_to_pb(definition: Definition) -> pb.Workflow:
    """Answers a workflow with nothing but what its definition says."""
    brake, compensation = definition.brake, definition.compensation
    return pb.Workflow(
        name=definition.name,
        trigger=pb.WorkflowTrigger(
            event=enum_to_pb(pb.WorkflowEvent, EVENT_PREFIX, definition.trigger.event),
            condition=definition.trigger.condition,
        ),
        nodes=[_node_to_pb(node) for node in definition.nodes],
        edges=[
            pb.WorkflowEdge(
                from_node=edge.source,
                to_node=edge.target,
                on=enum_to_pb(pb.WorkflowEdgeOn, ON_PREFIX, edge.on),
            )
            for edge in definition.edges
        ],
        timeout_seconds=definition.timeout_seconds,
        secret_names=dict.fromkeys(name for name, _ in definition.secret_uses),
        brake=pb.WorkflowBrake(condition=brake.condition, failed_runs=brake.failed_runs) if brake else None,
        compensation=pb.WorkflowCompensation(
            runbook=_runbook_to_pb(compensation.work),
            role=role_to_pb(compensation.role),
            expires_seconds=compensation.expires_seconds,
        )
        if compensation
        else None,
    )


def role_to_pb(role: Role | None) -> Any:
    return team_pb2.ROLE_UNSPECIFIED if role is None else enum_to_pb(team_pb2.Role, "ROLE_", role.name)


def json_to_pb(values: Mapping[str, Json]) -> Struct:
    return json_format.ParseDict(dict(values), Struct())


def json_from_pb(struct: Struct) -> dict[str, Json]:
    """Answers plain JSON; whole numbers as such, for a Struct knows doubles alone.

    What is no JSON, as an infinity, comes as it was sent, to be refused at its path.
    """
    return {name: _json(value) for name, value in struct.fields.items()}


def _json(value: Value) -> Json:
    match value.WhichOneof("kind"):
        case "struct_value":
            return json_from_pb(value.struct_value)
        case "list_value":
            return [_json(item) for item in value.list_value.values]
        case "number_value":
            return _whole(value.number_value)
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
    return None


def _whole(number: float) -> Json:
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _node_from_pb(node: pb.WorkflowNode) -> NodeDraft:
    join = enum_from_pb(pb.WorkflowJoin, JOIN_PREFIX, node.join)
    return NodeDraft(node.name, _work_from_pb(node), node.timeout_seconds, join)


def _work_from_pb(node: pb.WorkflowNode) -> WorkDraft | None:
    match node.WhichOneof("work"):
        case "runbook":
            return _runbook_from_pb(node.runbook)
        case "condition":
            return ConditionDraft(node.condition.expression)
        case "notify":
            return NotifyDraft(list(node.notify.channel_ids), node.notify.subject, node.notify.body)
        case "webhook":
            return _webhook_from_pb(node.webhook)
        case "delay":
            return DelayDraft(node.delay.seconds)
        case "approval":
            asked = node.approval
            return ApprovalDraft(
                enum_from_pb(team_pb2.Role, "ROLE_", asked.role), asked.question, asked.expires_seconds
            )
    return None


def _runbook_from_pb(work: pb.RunbookWork) -> RunbookDraft:
    return RunbookDraft(work.runbook_id, json_from_pb(work.parameters), work.detached)


def _webhook_from_pb(work: pb.WebhookWork) -> WebhookDraft:
    return WebhookDraft(
        url=work.url,
        method=work.method,
        body=json_from_pb(work.body) if work.HasField("body") else None,
        headers=[Header(header.name, header.value, header.secret_name, header.prefix) for header in work.headers],
        signing_secret_name=work.signing_secret_name,
    )


def _compensation_from_pb(message: pb.WorkflowCompensation) -> CompensationDraft:
    work = _runbook_from_pb(message.runbook) if message.HasField("runbook") else None
    return CompensationDraft(work, enum_from_pb(team_pb2.Role, "ROLE_", message.role), message.expires_seconds)


def _node_to_pb(node: Node) -> pb.WorkflowNode:
    message = pb.WorkflowNode(
        name=node.name,
        timeout_seconds=node.timeout_seconds,
        join=enum_to_pb(pb.WorkflowJoin, JOIN_PREFIX, node.join),
    )
    match node.work:
        case RunbookWork():
            message.runbook.CopyFrom(_runbook_to_pb(node.work))
        case ConditionWork(expression):
            message.condition.expression = expression
        case NotifyWork(channel_ids, subject, body):
            channels = [str(channel_id) for channel_id in channel_ids]
            message.notify.CopyFrom(pb.NotifyWork(channel_ids=channels, subject=subject, body=body))
        case WebhookWork():
            message.webhook.CopyFrom(_webhook_to_pb(node.work))
        case DelayWork(seconds):
            message.delay.seconds = seconds
        case ApprovalWork(role, question, expires_seconds):
            message.approval.CopyFrom(
                pb.ApprovalWork(role=role_to_pb(role), question=question, expires_seconds=expires_seconds)
            )
    return message


def _runbook_to_pb(work: RunbookWork) -> pb.RunbookWork:
    return pb.RunbookWork(
        runbook_id=str(work.runbook_id), parameters=json_to_pb(work.parameters), detached=work.detached
    )


def _webhook_to_pb(work: WebhookWork) -> pb.WebhookWork:
    return pb.WebhookWork(
        url=work.url,
        method=work.method,
        body=None if work.body is None else json_to_pb(work.body),
        headers=[
            pb.WebhookHeader(name=header.name, value=header.value, secret_name=header.secret_name, prefix=header.prefix)
            for header in work.headers
        ],
        signing_secret_name=work.signing_secret_name,
    )
