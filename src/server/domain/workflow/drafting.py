"""A definition as a draft again, so that a change of a part of it is checked as a whole."""

from __future__ import annotations

from server.domain.workflow.definition import (
    ApprovalWork,
    ConditionWork,
    Definition,
    DelayWork,
    NotifyWork,
    RunbookWork,
    WebhookWork,
    Work,
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


def draft_of(definition: Definition, description: str) -> WorkflowDraft:
    """Answers what, sent as it is, would become this definition."""
    brake, compensation = definition.brake, definition.compensation
    return WorkflowDraft(
        name=definition.name,
        event=definition.trigger.event,
        nodes=[NodeDraft(node.name, _work(node.work), node.timeout_seconds, node.join) for node in definition.nodes],
        edges=[EdgeDraft(edge.source, edge.target, edge.on) for edge in definition.edges],
        condition=definition.trigger.condition,
        description=description,
        timeout_seconds=definition.timeout_seconds,
        brake=None if brake is None else BrakeDraft(brake.condition, brake.failed_runs),
        compensation=None
        if compensation is None
        else CompensationDraft(_runbook(compensation.work), compensation.role.name, compensation.expires_seconds),
    )


def _work(work: Work) -> WorkDraft:
    match work:
        case RunbookWork():
            return _runbook(work)
        case ConditionWork(expression):
            return ConditionDraft(expression)
        case NotifyWork(channel_ids, subject, body):
            return NotifyDraft([str(channel_id) for channel_id in channel_ids], subject, body)
        case WebhookWork(url, method, body, headers, signing_secret_name):
            return WebhookDraft(url, method, body, headers, signing_secret_name)
        case DelayWork(seconds):
            return DelayDraft(seconds)
        case ApprovalWork(role, question, expires_seconds):
            return ApprovalDraft(role.name, question, expires_seconds)


def _runbook(work: RunbookWork) -> RunbookDraft:
    return RunbookDraft(str(work.runbook_id), work.parameters, work.detached)
