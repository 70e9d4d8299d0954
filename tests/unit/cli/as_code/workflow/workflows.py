"""Generated workflows, as a server answers them: everything that the contract allows, the unlikely above all."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from hypothesis import strategies as st

from cli.as_code.workflow.names import Names
from oncall.v1 import workflow_pb2 as pb
from tests.unit.cli.as_code.texts import texts

RUNBOOK = "0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e"
CHANNEL = "0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2f"
GONE = "0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b30"
NAMES = Names({RUNBOOK: "restart-web"}, {CHANNEL: "the night shift"})

_said = texts.filter(bool)
_seconds = st.sampled_from([1, 60, 604_800])
_roles = st.sampled_from([2, 3])
_numbers = st.integers(1 - 2**53, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | _numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def _struct(values: dict[str, Any]) -> Struct:
    return json_format.ParseDict(values, Struct())


_structs = st.dictionaries(texts, _json, max_size=3).map(_struct)
_runbooks = st.builds(
    pb.RunbookWork, runbook_id=st.sampled_from([RUNBOOK, GONE]), parameters=_structs, detached=st.booleans()
)
_headers = st.builds(pb.WebhookHeader, name=_said, value=texts, secret_name=st.sampled_from(["", "key"]), prefix=texts)
_works = st.one_of(
    _runbooks.map(lambda work: {"runbook": work}),
    _said.map(lambda text: {"condition": pb.ConditionWork(expression=text)}),
    st.builds(
        pb.NotifyWork, channel_ids=st.sampled_from([[], [CHANNEL], [GONE, CHANNEL]]), subject=_said, body=texts
    ).map(lambda work: {"notify": work}),
    st.builds(
        pb.WebhookWork,
        url=_said,
        method=st.sampled_from(["POST", "PUT", "PATCH"]),
        body=st.none() | _structs,
        headers=st.lists(_headers, max_size=2),
        signing_secret_name=st.sampled_from(["", "key"]),
    ).map(lambda work: {"webhook": work}),
    st.builds(pb.DelayWork, seconds=_seconds).map(lambda work: {"delay": work}),
    st.builds(
        pb.ApprovalWork, role=_roles, question=texts, expires_seconds=st.just(0) | _seconds
    ).map(lambda work: {"approval": work}),
)  # fmt: skip


@st.composite
def _graphs(draw: st.DrawFn) -> tuple[list[pb.WorkflowNode], list[pb.WorkflowEdge]]:
    nodes = [
        pb.WorkflowNode(
            name=f"n{number}",
            timeout_seconds=draw(st.just(0) | _seconds),
            join=draw(st.sampled_from([1, 2])),
            **draw(_works),
        )
        for number in range(draw(st.integers(1, 4)))
    ]
    edges = []
    for node in nodes[1:]:
        source = draw(st.sampled_from(nodes))
        on = draw(st.sampled_from([1, 2, 3, 4, 5] if source.HasField("condition") else [1, 2, 3]))
        edges.append(pb.WorkflowEdge(from_node=source.name, to_node=node.name, on=on))
    return nodes, edges


@st.composite
def workflows(draw: st.DrawFn) -> pb.Workflow:
    nodes, edges = draw(_graphs())
    event = draw(st.sampled_from([1, 2, 3, 4]))
    workflow = pb.Workflow(
        name=draw(_said),
        description=draw(texts),
        enabled=draw(st.booleans()),
        trigger=pb.WorkflowTrigger(event=event, condition="" if event == pb.WORKFLOW_EVENT_MANUAL else draw(texts)),
        nodes=nodes,
        edges=edges,
        timeout_seconds=draw(st.just(3600) | _seconds),
    )
    brake = pb.WorkflowBrake(condition=draw(texts), failed_runs=draw(st.sampled_from([0, 1, 100])))
    if brake.ByteSize() and draw(st.booleans()):
        workflow.brake.CopyFrom(brake)
    if draw(st.booleans()):
        undo = pb.WorkflowCompensation(
            runbook=draw(_runbooks), role=draw(_roles), expires_seconds=draw(st.just(3600) | _seconds)
        )
        workflow.compensation.CopyFrom(undo)
    return workflow
