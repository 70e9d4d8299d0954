"""Checks a workflow before it is saved, and answers all that is wrong with it at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from server.domain.incident_content import check_title
from server.domain.violation import Violations
from server.domain.workflow import setting
from server.domain.workflow.check_graph import check_edges
from server.domain.workflow.check_work import check_role, check_runbook, check_work
from server.domain.workflow.codec import definition_to_json
from server.domain.workflow.context import Shape, shape_of_node
from server.domain.workflow.definition import (
    ApprovalWork,
    Brake,
    Compensation,
    ConditionWork,
    Definition,
    DelayWork,
    Edge,
    Event,
    Join,
    Node,
    NotifyWork,
    RunbookWork,
    Trigger,
    WebhookWork,
    Work,
)
from server.domain.workflow.draft import (
    ApprovalDraft,
    BrakeDraft,
    CompensationDraft,
    ConditionDraft,
    DelayDraft,
    NodeDraft,
    NotifyDraft,
    RunbookDraft,
    WebhookDraft,
    WorkDraft,
    WorkflowDraft,
)
from server.domain.workflow.graph import ancestors, edges_into
from server.domain.workflow.known import Known, KnownRunbook, Named, named_in
from server.domain.workflow.scope import Scope, check_condition
from server.domain.workflow.speech import speaks_of_incident

__all__ = ["Known", "KnownRunbook", "Named", "check_definition", "named_in", "speaks_of_incident"]

DEFAULT_SECONDS = 3600
LONGEST_NAME = 100
LONGEST_DESCRIPTION = 10_000
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_JOINS = {"": Join.ANY, **Join.__members__}
_KINDS: Mapping[type[WorkDraft], type[Work]] = {
    RunbookDraft: RunbookWork,
    ConditionDraft: ConditionWork,
    NotifyDraft: NotifyWork,
    WebhookDraft: WebhookWork,
    DelayDraft: DelayWork,
    ApprovalDraft: ApprovalWork,
}
_BEFORE_ALL = Scope(with_nodes=False)


def check_definition(violations: Violations, draft: WorkflowDraft, known: Known) -> Definition | None:
    """Answers the definition with defaults filled in; None after noting violations, each at its path.

    Paths are those of the contract: `workflow.nodes[2].runbook.parameters.host`. It reads every template, which takes
    tens of milliseconds in the worst case for each: not for an event loop.
    """
    found = Violations()
    definition = _check(found, draft, known)
    if definition and _size(definition) > setting.GREATEST_BYTES:
        found.add("workflow", f"must have at most {setting.GREATEST_BYTES:,} bytes as JSON")
    return None if violations.include(found) else definition


def _check(found: Violations, draft: WorkflowDraft, known: Known) -> Definition | None:
    _check_heading(found, draft)
    if not 1 <= len(draft.nodes) <= setting.MOST_NODES:
        found.add("workflow.nodes", f"must be 1 to {setting.MOST_NODES}")
        return None
    names = [node.name for node in draft.nodes]
    found.unique("workflow.nodes", names)
    edges = check_edges(found, draft.edges, draft.nodes)
    scopes = _scopes(draft.nodes, edges)
    seconds = draft.timeout_seconds or DEFAULT_SECONDS
    nodes = [
        _check_node(found, f"workflow.nodes[{index}]", node, known, scopes[node.name], seconds)
        for index, node in enumerate(draft.nodes)
    ]
    trigger = _check_trigger(found, draft)
    brake = _check_brake(found, draft.brake)
    undo = _check_compensation(found, draft.compensation, known, Scope(_shapes(draft.nodes)))
    if trigger is None or edges is None:
        return None
    return Definition(draft.name, trigger, tuple(node for node in nodes if node), edges, seconds, brake, undo)


def _check_heading(found: Violations, draft: WorkflowDraft) -> None:
    check_title(found, "workflow.name", draft.name)
    if len(draft.name) > LONGEST_NAME:
        found.add("workflow.name", f"must have at most {LONGEST_NAME} characters")
    found.text("workflow.description", draft.description, longest=LONGEST_DESCRIPTION)
    found.number("workflow.timeout_seconds", draft.timeout_seconds, least=0, greatest=setting.LONGEST_SECONDS)


def _check_trigger(found: Violations, draft: WorkflowDraft) -> Trigger | None:
    if draft.event not in Event.__members__:
        found.add("workflow.trigger.event", "must be one of " + ", ".join(Event))
        return None
    event = Event(draft.event)
    if draft.condition and event is Event.MANUAL:
        found.add("workflow.trigger.condition", "does not apply to MANUAL: whoever runs it decides")
    elif draft.condition:
        check_condition(found, "workflow.trigger.condition", draft.condition, _BEFORE_ALL)
    return Trigger(event, draft.condition)


def _check_node(
    found: Violations, path: str, draft: NodeDraft, known: Known, scope: Scope, run_seconds: int
) -> Node | None:
    if not _NAME.fullmatch(draft.name):
        found.add(f"{path}.name", "must match [a-z][a-z0-9_]* and have at most 63 characters")
    found.number(f"{path}.timeout_seconds", draft.timeout_seconds, least=0, greatest=setting.LONGEST_SECONDS)
    if draft.join not in _JOINS:
        found.add(f"{path}.join", "must be ANY or ALL")
    if draft.work is None:
        found.add(f"{path}.work", "is required: one of runbook, condition, notify, webhook, delay, approval")
        return None
    work = check_work(found, path, draft.work, known, scope, run_seconds=run_seconds)
    return Node(draft.name, work, draft.timeout_seconds, _JOINS.get(draft.join, Join.ANY))


def _check_brake(found: Violations, draft: BrakeDraft | None) -> Brake | None:
    if draft is None or draft == BrakeDraft():
        return None
    if draft.condition:
        check_condition(found, "workflow.brake.condition", draft.condition, _BEFORE_ALL)
    found.number("workflow.brake.failed_runs", draft.failed_runs, least=0, greatest=setting.MOST_FAILED_RUNS)
    return Brake(draft.condition, draft.failed_runs)


def _check_compensation(
    found: Violations, draft: CompensationDraft | None, known: Known, scope: Scope
) -> Compensation | None:
    if draft is None:
        return None
    path = "workflow.compensation"
    role = check_role(found, f"{path}.role", draft.role)
    found.number(f"{path}.expires_seconds", draft.expires_seconds, least=0, greatest=setting.LONGEST_SECONDS)
    if draft.work is None:
        found.add(f"{path}.runbook", "is required")
        return None
    work = check_runbook(found, f"{path}.runbook", draft.work, known, scope)
    return Compensation(work, role, draft.expires_seconds or DEFAULT_SECONDS)


def _scopes(nodes: Sequence[NodeDraft], edges: Sequence[Edge] | None) -> Mapping[str, Scope]:
    """Answers what each node may speak of: where the edges are wrong, of any other, so that only those are told of."""
    shapes = _shapes(nodes)
    if edges is None:
        return {node.name: Scope(shapes) for node in nodes}
    before = ancestors(edges_into(shapes, edges))
    return {name: Scope(_only(shapes, before[name]), frozenset(shapes)) for name in shapes}


def _shapes(nodes: Sequence[NodeDraft]) -> dict[str, Mapping[str, Shape]]:
    return {node.name: _shape(node.work) for node in nodes}


def _shape(work: WorkDraft | None) -> Mapping[str, Shape]:
    if work is None:
        return {}
    return shape_of_node(_KINDS[type(work)], detached=isinstance(work, RunbookDraft) and work.detached)


def _only(shapes: Mapping[str, Mapping[str, Shape]], names: Iterable[str]) -> dict[str, Mapping[str, Shape]]:
    return {name: shapes[name] for name in names}


def _size(definition: Definition) -> int:
    return len(json.dumps(definition_to_json(definition), ensure_ascii=False).encode(errors="replace"))
