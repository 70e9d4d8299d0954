"""What must happen for the server to be as the files say: found out before anything is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cli.as_code.files import twice
from cli.as_code.problem import Problem, Unusable
from cli.as_code.runbook.difference import difference
from cli.as_code.runbook.manifest import Manifest
from cli.as_code.runbook.wanted import comparable_version
from cli.as_code.teams import Teams
from cli.connection import Server
from cli.paging import paged
from oncall.digest import digest_of
from oncall.v1.runbook_pb2 import (
    RUNBOOK_VERSION_STATUS_DRAFT,
    RUNBOOK_VERSION_STATUS_REJECTED,
    Runbook,
    RunbookVersion,
)
from oncall.v1.runbook_service_pb2 import ListRunbooksRequest


@dataclass(slots=True)
class Step:
    """What one runbook needs. `runbook` and `before` are what the server has, if it has anything."""

    manifest: Manifest
    team_id: str
    service_id: str = ""
    runbook: Runbook | None = None
    before: RunbookVersion | None = None
    changed_fields: list[str] = field(default_factory=list)
    new_version: bool = False
    submits: bool = False
    diff: str = ""

    @property
    def is_new(self) -> bool:
        return self.runbook is None

    @property
    def changes(self) -> list[str]:
        """Answers what is to be done, in the order in which it is."""
        done = ["create"] if self.runbook is None else []
        done += [f"update {', '.join(self.changed_fields)}"] if self.changed_fields else []
        done += ["new version"] if self.runbook is not None and self.new_version else []
        return done + (["submit"] if self.submits else [])

    @property
    def remark(self) -> str:
        """Answers what whoever applies should know though nothing changes."""
        if self.new_version or self.before is None or self.runbook is None:
            return ""
        if self.before.status == RUNBOOK_VERSION_STATUS_REJECTED:
            return f"version {self.before.version} was rejected: it has to change"
        if self.runbook.current_version not in {0, self.before.version}:
            return f"version {self.runbook.current_version} is what runs"
        return ""


def make_plan(server: Server, manifests: Iterable[Manifest], team: str, *, submit: bool) -> list[Step]:
    """Answers a step for each runbook, those that need nothing included; raises Unusable for what cannot be."""
    teams = Teams(server, team)
    steps: dict[tuple[str, str], Step] = {}
    problems: list[Problem] = []
    for manifest in manifests:
        step = Step(manifest, teams.id_of(manifest.form.team))
        other = steps.setdefault((step.team_id, manifest.name), step)
        if other is not step:
            problems.append(twice(manifest, other.manifest))
        problems += _find_service(teams, step)
    if problems:
        raise Unusable(problems)
    for step in steps.values():
        _compare(server, teams, step, submit=submit)
    return list(steps.values())


def _find_service(teams: Teams, step: Step) -> Iterator[Problem]:
    wanted = step.manifest.form.service
    if not wanted:
        return
    names = teams.services_of(step.team_id)
    by_name = {name: service_id for service_id, name in names.items()}
    step.service_id = wanted if wanted in names else by_name.get(wanted, "")
    if not step.service_id:
        known = f"it has {', '.join(sorted(by_name))}" if by_name else "it has none"
        yield step.manifest.document.problem(("service",), f"the team has no service {wanted}: {known}")


def _compare(server: Server, teams: Teams, step: Step, *, submit: bool) -> None:
    manifest = step.manifest
    request = ListRunbooksRequest(team_id=step.team_id, query=manifest.name)
    found = (r for r in paged(server.runbooks.ListRunbooks, request, "runbooks") if r.name == manifest.name)
    step.runbook = next(found, None)
    if step.runbook:
        step.before = comparable_version(server, step.runbook, manifest.digest)
        _refuse_other_digests(manifest, step.before)
        if step.runbook.description != manifest.form.description:
            step.changed_fields.append("description")
        if step.runbook.service_id != step.service_id:
            step.changed_fields.append("service_id")
    step.new_version = step.before is None or step.before.digest != manifest.digest
    step.submits = submit and (
        step.new_version or (step.before is not None and step.before.status == RUNBOOK_VERSION_STATUS_DRAFT)
    )
    if step.new_version or step.changed_fields:
        step.diff = difference(
            step.before, manifest.version, about=(_about_before(teams, step), _about_after(step)), name=manifest.name
        )


def _refuse_other_digests(manifest: Manifest, version: RunbookVersion) -> None:
    """Where this command and the server disagree on digests, nothing could ever be found unchanged."""
    if digest_of(version) != version.digest:
        sentence = "the server computes digests otherwise than this command: use the release that goes with it"
        raise Unusable([Problem(manifest.file, 0, "", sentence)])


def _about_before(teams: Teams, step: Step) -> dict[str, Any]:
    if step.runbook is None:
        return {}
    service_id = step.runbook.service_id
    service = teams.services_of(step.team_id).get(service_id, service_id) if service_id else ""
    return _without_empty({"service": service, "description": step.runbook.description})


def _about_after(step: Step) -> dict[str, Any]:
    form = step.manifest.form
    return _without_empty({"service": form.service, "description": form.description})


def _without_empty(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}
