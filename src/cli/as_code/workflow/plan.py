"""What must happen for the server's workflows to be as the files say: found out before anything is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cli.as_code.difference import unified
from cli.as_code.files import twice
from cli.as_code.problem import Problem, Unusable
from cli.as_code.teams import Teams
from cli.as_code.workflow.conversion import to_workflow
from cli.as_code.workflow.fields import FIELDS, same, settings_of
from cli.as_code.workflow.manifest import Manifest
from cli.as_code.workflow.names import Names, read_names
from cli.as_code.yaml_writing import to_yaml
from cli.connection import Server
from cli.paging import paged
from oncall.v1.workflow_pb2 import Workflow
from oncall.v1.workflow_service_pb2 import GetWorkflowRequest, ListWorkflowsRequest


@dataclass(slots=True)
class Step:
    """What one workflow needs. `wanted` is as the file says, `before` what the server has, if it has anything."""

    manifest: Manifest
    wanted: Workflow
    before: Workflow | None = None
    changed_fields: list[str] = field(default_factory=list)
    diff: str = ""

    @property
    def is_new(self) -> bool:
        return self.before is None

    @property
    def changes(self) -> list[str]:
        """Answers what is to be done."""
        if self.before is None:
            return ["create"]
        return [f"update {', '.join(self.changed_fields)}"] if self.changed_fields else []

    @property
    def remark(self) -> str:
        """Answers what whoever applies should know though the file does not say it."""
        disabled = self.before is not None and not self.before.enabled and self.manifest.form.enabled is None
        return "it is disabled, and stays so" if disabled else ""


def make_plan(server: Server, manifests: Iterable[Manifest], team: str) -> list[Step]:
    """Answers a step for each workflow, those that need nothing included; raises Unusable for what cannot be."""
    teams = Teams(server, team)
    names: dict[str, Names] = {}
    steps: dict[tuple[str, str], Step] = {}
    problems: list[Problem] = []
    for manifest in manifests:
        team_id = teams.id_of(manifest.team)
        if team_id not in names:
            names[team_id] = read_names(server, team_id)
        step = Step(manifest, to_workflow(manifest.form, team_id, names[team_id]))
        other = steps.setdefault((team_id, manifest.name), step)
        if other is not step:
            problems.append(twice(manifest, other.manifest))
        problems += names[team_id].unknown(manifest.document, manifest.form)
    if problems:
        raise Unusable(problems)
    there = {team_id: _ids_by_name(server, team_id) for team_id in names}
    for (team_id, name), step in steps.items():
        if name in there[team_id]:
            request = GetWorkflowRequest(workflow_id=there[team_id][name])
            step.before = server.workflows.GetWorkflow(request).workflow
        _compare(step, names[team_id])
    return list(steps.values())


def _ids_by_name(server: Server, team_id: str) -> dict[str, str]:
    found = paged(server.workflows.ListWorkflows, ListWorkflowsRequest(team_id=team_id), "workflows")
    return {workflow.name: workflow.id for workflow in found}


def _compare(step: Step, names: Names) -> None:
    if step.before is not None and step.manifest.form.enabled is None:
        step.wanted.enabled = step.before.enabled
    before = settings_of(step.before, names) if step.before else {}
    after = settings_of(step.wanted, names)
    step.changed_fields = [name for name in FIELDS if not same(before.get(name), after.get(name))]
    if step.before is not None and not step.changed_fields:
        return
    old = f"{step.manifest.name}, version {step.before.version} on the server" if step.before else "/dev/null"
    step.diff = unified(to_yaml(before) if before else "", to_yaml(after), old, step.manifest.name)
