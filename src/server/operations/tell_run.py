"""What a team is told of runs: that one did not end well, was not undone, did not start, or waits for somebody."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from server.domain.delivery import NotificationEvent
from server.domain.incident import IncidentSeverity
from server.domain.workflow.compensation import not_undone
from server.domain.workflow.record import NodeRun, WorkflowRun
from server.domain.workflow.run import RunStatus
from server.domain.workflow.workflow import Workflow
from server.operations.notify_team import Happening

NOT_WELL = frozenset({RunStatus.FAILED, RunStatus.TIMEOUT, RunStatus.STOPPED})
"""What is told of; that somebody cancelled a run, they know."""


def run_failed(run: WorkflowRun) -> Happening:
    ended = {RunStatus.TIMEOUT: "ran out of time", RunStatus.STOPPED: "was stopped by its brake"}
    how = ended.get(run.status, "failed")
    return Happening(
        dedupe_key=f"run:{run.id}:ended",
        team_id=run.team_id,
        event=NotificationEvent.WORKFLOW_FAILED,
        subject=f"Workflow {run.definition.name} {how}",
        body=f"Workflow {run.definition.name}, version {run.workflow_version}: {run.status}.\n"
        f"Why: {run.problem}\nRun: {run.id}",
        severity=severity_of(run),
        data={
            "workflow_id": str(run.workflow_id),
            "workflow": run.definition.name,
            "version": run.workflow_version,
            "status": run.status,
            "problem": run.problem,
        },
        workflow_run_id=run.id,
        incident_id=run.incident_id,
    )


def undo_failed(run: WorkflowRun, offered: NodeRun) -> Happening:
    """Says that what somebody approved to undo a run did not: things are as the run left them, or half undone."""
    return Happening(
        dedupe_key=f"run:{run.id}:undo-failed",
        team_id=run.team_id,
        event=NotificationEvent.WORKFLOW_FAILED,
        subject=f"Workflow {run.definition.name} was not undone",
        body=f"Workflow {run.definition.name}, version {run.workflow_version}: {not_undone(offered)}\n"
        + (f"Execution: {offered.execution_id}\n" if offered.execution_id else "")
        + f"Run: {run.id}",
        severity=severity_of(run),
        data={
            "workflow_id": str(run.workflow_id),
            "workflow": run.definition.name,
            "version": run.workflow_version,
            "status": run.status,
            "problem": offered.state.problem,
        },
        workflow_run_id=run.id,
        incident_id=run.incident_id,
        execution_id=offered.execution_id,
    )


def approval_waits(run: WorkflowRun, asked: NodeRun) -> Happening:
    role = asked.role.name if asked.role else ""
    until = asked.state.due_at or asked.state.deadline
    step = asked.name or "(compensation)"
    return Happening(
        dedupe_key=f"run:{run.id}:waits:{asked.name}",
        team_id=run.team_id,
        event=NotificationEvent.APPROVAL_WAITING,
        subject=f"Workflow {run.definition.name} waits for somebody's word",
        body=f"{asked.question}\n\nStep: {step}\nWho may answer: {role}, but not whoever started the run\n"
        + (f"Until: {until.isoformat(timespec='seconds')}\n" if until else "")
        + f"Run: {run.id}",
        severity=severity_of(run),
        data={
            "workflow_id": str(run.workflow_id),
            "workflow": run.definition.name,
            "question": asked.question,
            "role": role,
            "until": until.isoformat() if until else None,
        },
        workflow_run_id=run.id,
        node=asked.name or None,
        incident_id=run.incident_id,
    )


def not_started(workflow: Workflow, reason: str, incident_id: UUID, now: datetime) -> Happening:
    """Says it once an hour for an incident: whoever is told may say something of it, which is the next event."""
    return Happening(
        dedupe_key=f"workflow:{workflow.id}:not-started:{incident_id}:{now:%Y%m%d%H}",
        team_id=workflow.team_id,
        event=NotificationEvent.WORKFLOW_FAILED,
        subject=f"Workflow {workflow.name} did not start",
        body=f"Workflow {workflow.name}, version {workflow.version}, did not start.\nWhy: {reason}",
        data={
            "workflow_id": str(workflow.id),
            "workflow": workflow.name,
            "version": workflow.version,
            "problem": reason,
        },
        incident_id=incident_id,
    )


def severity_of(run: WorkflowRun) -> IncidentSeverity | None:
    """Answers how bad the incident of a run was when it began; None where it is about none."""
    incident = run.trigger.get("incident")
    severity = incident.get("severity") if isinstance(incident, dict) else None
    return IncidentSeverity(severity) if isinstance(severity, str) else None
