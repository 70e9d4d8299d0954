"""Workflow files between their form and the contract."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from cli.as_code.workflow import form as forms
from cli.as_code.workflow.form import WorkflowForm
from cli.as_code.workflow.names import Names
from oncall.v1 import workflow_pb2 as pb
from oncall.v1.team_pb2 import Role


def to_workflow(form: WorkflowForm, team_id: str, names: Names) -> pb.Workflow:
    """Answers the workflow that a form describes, every default filled in; `enabled` where the form says so."""
    workflow = pb.Workflow(
        team_id=team_id,
        name=form.name,
        description=form.description,
        enabled=form.enabled is not False,
        trigger=pb.WorkflowTrigger(
            event=pb.WorkflowEvent.Value(f"WORKFLOW_EVENT_{form.trigger.event.upper()}"),
            condition=form.trigger.condition,
        ),
        nodes=[_node(node, names) for node in form.nodes],
        edges=[
            pb.WorkflowEdge(
                from_node=edge.from_node,
                to_node=edge.to_node,
                on=pb.WorkflowEdgeOn.Value(f"WORKFLOW_EDGE_ON_{edge.on.upper()}"),
            )
            for edge in form.edges
        ],
        timeout_seconds=form.timeout_seconds,
    )
    if form.brake is not None and (form.brake.condition or form.brake.failed_runs):
        workflow.brake.CopyFrom(pb.WorkflowBrake(**form.brake.model_dump()))
    if form.compensation is not None:
        undo = form.compensation
        workflow.compensation.CopyFrom(
            pb.WorkflowCompensation(
                runbook=_runbook(undo.runbook, names), role=_role(undo.role), expires_seconds=undo.expires_seconds
            )
        )
    return workflow


def _node(form: forms.Node, names: Names) -> pb.WorkflowNode:
    join = pb.WorkflowJoin.Value(f"WORKFLOW_JOIN_{form.join.upper()}")
    node = pb.WorkflowNode(name=form.name, timeout_seconds=form.timeout_seconds, join=join)
    if form.runbook is not None:
        node.runbook.CopyFrom(_runbook(form.runbook, names))
    elif form.condition is not None:
        node.condition.expression = form.condition.expression
    elif form.notify is not None:
        channel_ids = [names.channel_id(channel) for channel in form.notify.channels]
        told = pb.NotifyWork(channel_ids=channel_ids, subject=form.notify.subject, body=form.notify.body)
        node.notify.CopyFrom(told)
    elif form.webhook is not None:
        node.webhook.CopyFrom(_webhook(form.webhook))
    elif form.delay is not None:
        node.delay.seconds = form.delay.seconds
    elif form.approval is not None:
        asked = form.approval
        node.approval.CopyFrom(
            pb.ApprovalWork(role=_role(asked.role), question=asked.question, expires_seconds=asked.expires_seconds)
        )
    return node


def _runbook(form: forms.Runbook, names: Names) -> pb.RunbookWork:
    return pb.RunbookWork(
        runbook_id=names.runbook_id(form.name), parameters=_struct(form.parameters), detached=form.detached
    )


def _webhook(form: forms.Webhook) -> pb.WebhookWork:
    return pb.WebhookWork(
        url=form.url,
        method=form.method,
        body=None if form.body is None else _struct(form.body),
        headers=[pb.WebhookHeader(**header.model_dump()) for header in form.headers],
        signing_secret_name=form.signing_secret_name,
    )


def _struct(values: dict[str, Any]) -> Struct:
    return json_format.ParseDict(values, Struct())


def _role(role: str) -> Role.ValueType:
    return Role.Value(f"ROLE_{role.upper()}")
