"""Every mistake in a workflow's file is named with its line, all of them at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.as_code.problem import Unusable
from cli.as_code.workflow.carry_out import place
from cli.as_code.workflow.manifest import Manifest, read_manifests
from cli.as_code.workflow.names import Names

GOOD = """\
oncall: workflow/v1
name: it
trigger:
  event: incident_created
nodes:
  - name: ask
    approval: {question: Go on?}
  - name: restart
    runbook: {name: restart-web}
edges:
  - {from_node: ask, to_node: restart}
"""


def read(folder: Path, text: str) -> Manifest:
    (folder / "it.yaml").write_text(text)
    [manifest] = read_manifests([folder / "it.yaml"])
    return manifest


def wrong(folder: Path, text: str) -> list[str]:
    with pytest.raises(Unusable) as raised:
        read(folder, text)
    return [str(problem).replace(f"{folder}/", "") for problem in raised.value.problems]


def test_what_is_right_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD).name == "it"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("workflow/v1", "runbook/v1", "it.yaml:1: oncall: must be workflow/v1"),
        ("name: it", "naem: it", "it.yaml:2: naem: is not known: do you mean name?"),
        ("name: it", "name: 7", "it.yaml:2: name: must be text: put it in quotes"),
        ("name: it", "name: [it]", "it.yaml:2: name: must be text"),
        (
            "  event: incident_created",
            "  events: manual",
            "trigger.events: is not known: do you mean event?",
        ),
        ("incident_created", "incident_create", "must be one of manual, incident_created, incident_updated"),
        ("event: incident_created", "{event: manual, condition: x}", "it.yaml:4"),
        ("name: ask", "name: Ask", "it.yaml:6: nodes[0].name: must match pattern"),
        ("name: restart\n", "name: ask\n", "it.yaml:8: nodes[1].name: names ask a second time"),
        (
            "approval: {question",
            "aproval: {question",
            "nodes[0].aproval: is not known: do you mean approval?",
        ),
        ("{question: Go on?}", "{qestion: x}", "nodes[0].approval.qestion: is not known: do you mean question?"),
        ("    approval: {question: Go on?}", "    join: all", "it.yaml:6: nodes[0]: must do something: one of runbook"),
        ("    approval:", "    delay: {seconds: 1}\n    approval:", "nodes[0].approval: is one thing too many"),
        ("approval: {question: Go on?}", "approval: [x]", "nodes[0].approval: must be a mapping"),
        ("{question: Go on?}", "{role: observer}", "approval.role: must be one of responder, team_admin"),
        ("{question: Go on?}", "{expires_seconds: 0.5}", "it.yaml:7: nodes[0].approval.expires_seconds: must be"),
        (
            "{name: restart-web}",
            "{name: x, parameters: 1}",
            "nodes[1].runbook.parameters: must be a mapping",
        ),
        ("{name: restart-web}", "{name: x, parameters: {a: .nan}}", "parameters: must have no number that is not"),
        ("{name: restart-web}", "{name: x, parameters: {a: [9007199254740993]}}", "whole number beyond 2^53"),
        ("{name: restart-web}", "{}", "it.yaml:9: nodes[1].runbook.name: is required"),
        ("from_node: ask", "from_node: aks", "it.yaml:11: edges[0].from_node: there is no step aks: do you mean ask?"),
        ("to_node: restart", "to_node: x", "it.yaml:11: edges[0].to_node: there is no step x"),
        ("to_node: restart", "to_node: restart, on: true", "it.yaml:11: edges[0].on: must be success, failure or"),
        ("to_node: restart", "to_node: restart, on: succes", "always, true, false: do you mean success?"),
        ("edges:\n", "edges: x\nx:\n", "it.yaml:10: edges: must be a list"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, before: str, after: str, said: str) -> None:
    assert before in GOOD
    found = wrong(tmp_path, GOOD.replace(before, after, 1))
    assert any(said in line for line in found), found


def test_a_condition_of_what_is_started_by_hand_is_refused(tmp_path: Path) -> None:
    text = GOOD.replace("event: incident_created", 'event: manual\n  condition: "true"')
    assert wrong(tmp_path, text) == ["it.yaml:5: trigger.condition: does not apply to manual: whoever runs it decides"]


def test_what_the_team_has_not_is_named_with_its_line(tmp_path: Path) -> None:
    told = "  - name: tell\n    notify:\n      subject: x\n      channels:\n        - night\n        - nigth\n"
    undo = "compensation:\n  runbook:\n    name: undo\n"
    manifest = read(tmp_path, GOOD.replace("edges:", f"{told}edges:") + undo)
    names = Names({"1": "restart-wep"}, {"2": "night"})
    found = names.unknown(manifest.document, manifest.form)
    assert [(problem.line, problem.field, problem.sentence) for problem in found] == [
        (9, "nodes[1].runbook.name", "the team has no runbook restart-web: do you mean restart-wep?"),
        (20, "compensation.runbook.name", "the team has no runbook undo"),
        (15, "nodes[2].notify.channels[1]", "the team has no channel nigth: do you mean night?"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("workflow.nodes[1].runbook.runbook_id", 9),
        ("workflow.nodes[1].runbook.parameters.host", 9),
        ("workflow.nodes[0].work", 6),
        ("workflow.edges[0].on", 11),
        ("workflow.trigger.condition", 3),
        ("workflow", 1),
    ],
)
def test_what_the_server_refuses_is_found_in_the_file(tmp_path: Path, field: str, line: int) -> None:
    manifest = read(tmp_path, GOOD)
    assert manifest.document.problem(place(field), "is wrong").line == line


def test_what_stands_in_a_file_by_name_is_found_where_the_server_names_its_id() -> None:
    assert place("workflow.compensation.runbook.runbook_id") == ("compensation", "runbook", "name")
    assert place("workflow.nodes[2].notify.channel_ids[1]") == ("nodes", 2, "notify", "channels", 1)
    assert place("workflow.nodes[2].notify.channel_ids") == ("nodes", 2, "notify", "channels")
