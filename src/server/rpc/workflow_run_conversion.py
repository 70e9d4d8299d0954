"""Runs of workflows, from the domain to the contract."""

from __future__ import annotations

from oncall.v1 import workflow_pb2 as pb
from oncall.v1 import workflow_service_pb2
from server.domain.workflow.record import NodeRun, WorkflowRun
from server.domain.workflow.run import NodeState
from server.operations.decide_approval import Word
from server.operations.read_runs import RunQuery
from server.rpc.conversion import enum_from_pb, enum_to_pb, id_to_pb, time_to_pb
from server.rpc.workflow_conversion import EVENT_PREFIX, definition_to_pb, json_to_pb, role_to_pb

STATUS_PREFIX = "WORKFLOW_RUN_STATUS_"


def run_to_pb(run: WorkflowRun) -> pb.WorkflowRun:
    """Answers a run as lists show it: without its steps and its definition."""
    return pb.WorkflowRun(
        id=str(run.id),
        workflow_id=str(run.workflow_id),
        workflow_version=run.workflow_version,
        team_id=str(run.team_id),
        incident_id=id_to_pb(run.incident_id),
        event=enum_to_pb(pb.WorkflowEvent, EVENT_PREFIX, run.event),
        triggered_by=id_to_pb(run.triggered_by),
        status=enum_to_pb(pb.WorkflowRunStatus, STATUS_PREFIX, run.status),
        problem=run.problem,
        created_at=time_to_pb(run.created_at),
        deadline=time_to_pb(run.deadline),
        completed_at=time_to_pb(run.completed_at),
        cancel_requested_at=time_to_pb(run.cancel_requested_at),
    )


def whole_run_to_pb(run: WorkflowRun) -> pb.WorkflowRun:
    message = run_to_pb(run)
    message.nodes.extend(
        _node_to_pb(run.nodes.get(node.name) or NodeRun(node.name, NodeState())) for node in run.definition.nodes
    )
    message.workflow.CopyFrom(definition_to_pb(run.definition))
    if run.compensation is not None:
        message.compensation.CopyFrom(_node_to_pb(run.compensation))
    return message


def run_query_from_pb(request: workflow_service_pb2.ListWorkflowRunsRequest) -> RunQuery:
    return RunQuery(
        team_id=request.team_id,
        workflow_id=request.workflow_id,
        incident_id=request.incident_id,
        status=enum_from_pb(pb.WorkflowRunStatus, STATUS_PREFIX, request.status),
    )


def word_from_pb(request: workflow_service_pb2.DecideApprovalRequest) -> Word:
    return Word(
        run_id=request.workflow_run_id,
        node=request.node,
        decision=enum_from_pb(workflow_service_pb2.ApprovalDecision, "APPROVAL_DECISION_", request.decision),
        comment=request.comment,
    )


def _node_to_pb(node: NodeRun) -> pb.WorkflowNodeRun:
    state = node.state
    return pb.WorkflowNodeRun(
        name=node.name,
        status=enum_to_pb(pb.WorkflowNodeStatus, "WORKFLOW_NODE_STATUS_", state.status),
        problem=state.problem,
        output=json_to_pb(state.output),
        execution_id=id_to_pb(node.execution_id),
        question=node.question,
        role=role_to_pb(node.role),
        started_at=time_to_pb(state.started_at),
        deadline=time_to_pb(state.deadline),
        completed_at=time_to_pb(state.completed_at),
    )
