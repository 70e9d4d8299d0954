"""What is exported reads back as exactly what it was."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import example, given, settings

from cli.as_code.workflow.conversion import to_workflow
from cli.as_code.workflow.fields import same, settings_of, to_fields
from cli.as_code.workflow.manifest import Manifest, read_manifests
from cli.as_code.yaml_writing import to_yaml
from oncall.v1 import workflow_pb2 as pb
from tests.unit.cli.as_code.texts import texts
from tests.unit.cli.as_code.workflow.workflows import GONE, NAMES, workflows


def read(text: str) -> Manifest:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "it.yaml").write_bytes(text.encode())
        [manifest] = read_manifests([Path(folder)])
    return manifest


def with_a_zero_below_nothing() -> pb.Workflow:
    work = pb.RunbookWork(runbook_id=next(iter(NAMES.runbooks)))
    work.parameters.update({"least": -0.0})
    node = pb.WorkflowNode(name="n0", join=pb.WORKFLOW_JOIN_ALL, runbook=work)
    trigger = pb.WorkflowTrigger(event=pb.WORKFLOW_EVENT_MANUAL)
    return pb.Workflow(name="0", trigger=trigger, nodes=[node], timeout_seconds=3600)


@settings(max_examples=200, deadline=None)
@example(workflow=with_a_zero_below_nothing(), team="")
@given(workflow=workflows(), team=texts)
def test_what_is_exported_reads_back_as_what_it_was(workflow: pb.Workflow, team: str) -> None:
    text = to_yaml(to_fields(workflow, team=team, names=NAMES))
    manifest = read(text)
    assert manifest.team == team
    again = to_workflow(manifest.form, "", NAMES)
    assert again == workflow, text
    assert settings_of(again, NAMES) == settings_of(workflow, NAMES)


@settings(max_examples=100, deadline=None)
@given(one=workflows(), other=workflows())
def test_two_that_differ_are_never_written_alike(one: pb.Workflow, other: pb.Workflow) -> None:
    assert same(settings_of(one, NAMES), settings_of(other, NAMES)) == (_unnamed(one) == _unnamed(other))


def test_true_is_not_one_and_a_whole_number_is_one_however_it_is_written() -> None:
    said = [_settings({"force": value, "a": 1}) for value in (True, 1, 1.0)]
    assert [same(said[0], said[1]), same(said[1], said[2])] == [False, True]


def test_the_order_of_parameters_says_nothing() -> None:
    assert to_yaml(_settings({"b": 1, "a": {"d": 2, "c": 3}})) == to_yaml(_settings({"a": {"c": 3, "d": 2}, "b": 1}))


def _settings(parameters: dict[str, object]) -> dict[str, object]:
    node = pb.WorkflowNode(name="do", runbook=pb.RunbookWork())
    node.runbook.parameters.update(parameters)
    return settings_of(pb.Workflow(nodes=[node]), NAMES)


def _unnamed(workflow: pb.Workflow) -> pb.Workflow:
    copied = pb.Workflow()
    copied.CopyFrom(workflow)
    copied.name = ""
    return copied


def test_runbooks_and_channels_are_written_by_name_and_what_is_gone_by_its_id() -> None:
    node = pb.WorkflowNode(name="tell", notify=pb.NotifyWork(channel_ids=[*NAMES.channels, GONE], subject="x"))
    workflow = pb.Workflow(name="it", nodes=[node, pb.WorkflowNode(name="do")])
    workflow.nodes[1].runbook.runbook_id = next(iter(NAMES.runbooks))
    told, done = to_fields(workflow, team="", names=NAMES)["nodes"]
    assert told["notify"]["channels"] == ["the night shift", GONE]
    assert done["runbook"] == {"name": "restart-web"}


def test_true_and_false_lead_on_with_and_without_quotes() -> None:
    text = """\
oncall: workflow/v1
name: it
trigger: {event: manual}
nodes:
  - {name: is_it, condition: {expression: "true"}}
  - {name: yes_it_is, delay: {seconds: 1}}
  - {name: no_it_is_not, delay: {seconds: 1}}
edges:
  - {from_node: is_it, to_node: yes_it_is, on: true}
  - {from_node: is_it, to_node: no_it_is_not, on: "false"}
"""
    workflow = to_workflow(read(text).form, "", NAMES)
    assert [edge.on for edge in workflow.edges] == [pb.WORKFLOW_EDGE_ON_TRUE, pb.WORKFLOW_EDGE_ON_FALSE]
