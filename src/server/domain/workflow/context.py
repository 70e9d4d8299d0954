"""What templates and conditions speak of.

| root | fields |
|---|---|
| `incident` | as it is now: those of `INCIDENT`; `acknowledged` is true or false, `labels` an object |
| `service` | `id`, `name`; of an incident without a service there is neither |
| `team` | `id`, `name` |
| `trigger` | `event`, `by` (who did it; empty: the platform), `incident` (as it was then, with the fields above) |
| `nodes.<name>` | of steps: `status`, `problem`, and once they have ended what `OF_NODES` says of their kind |

Severities compare as texts, and the worse is the less: `incident.severity in ["SEV1", "SEV2"]`,
`incident.severity < trigger.incident.severity` (it got worse). A label that an incident does not have, and the service
that it does not have, may be compared (`incident.labels.env == "prod"` is false) but not written.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import TypeAlias
from uuid import UUID

from server.domain.incident import Incident
from server.domain.workflow.definition import (
    ApprovalWork,
    ConditionWork,
    Event,
    Json,
    RunbookWork,
    WebhookWork,
    Work,
)
from server.domain.workflow.run import NodeState
from server.domain.workflow.value import Open

Context: TypeAlias = "Mapping[str, Json]"
Shape: TypeAlias = "Mapping[str, Shape] | None"
"""The members of an object; None: anything may be below."""

LEAF: Mapping[str, Shape] = {}
INCIDENT: Mapping[str, Shape] = {
    **dict.fromkeys(
        ("id", "title", "description", "severity", "status", "started_at", "acknowledged", "url"),
        LEAF,
    ),
    "labels": None,
}
ROOTS: Mapping[str, Shape] = {
    "incident": INCIDENT,
    "service": {"id": LEAF, "name": LEAF},
    "team": {"id": LEAF, "name": LEAF},
    "trigger": {"event": LEAF, "by": LEAF, "incident": INCIDENT},
}
OF_ALL_NODES: Mapping[str, Shape] = {"status": LEAF, "problem": LEAF}
OF_DETACHED: Mapping[str, Shape] = {"execution_id": LEAF}
OF_NODES: Mapping[type[Work], Mapping[str, Shape]] = {
    RunbookWork: {**dict.fromkeys(("exit_code", "stdout", "stderr", "execution_id"), LEAF), "output": None},
    ConditionWork: {"result": LEAF},
    WebhookWork: {"status_code": LEAF},
    ApprovalWork: {"decision": LEAF, "comment": LEAF, "decided_by": LEAF},
}


def shape_of_node(kind: type[Work], *, detached: bool = False) -> Mapping[str, Shape]:
    """Answers what may be said of a node that does work of this kind."""
    return {**OF_ALL_NODES, **(OF_DETACHED if detached else OF_NODES.get(kind, {}))}


def incident_facts(incident: Incident, url: str = "") -> dict[str, Json]:
    """Answers what is told of an incident, as JSON: times in ISO 8601, UTC. Also what a run keeps of its trigger."""
    return {
        "id": str(incident.id),
        "title": incident.title,
        "description": incident.description,
        "severity": incident.severity.value,
        "status": incident.status.value,
        "labels": dict(incident.labels),
        "started_at": incident.started_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "acknowledged": incident.acknowledged_at is not None,
        "url": url,
    }


def build_context(
    *,
    event: Event,
    by: str,
    incident_then: Mapping[str, Json] | None,
    incident_now: Mapping[str, Json] | None,
    service: tuple[UUID, str] | None,
    team: tuple[UUID, str],
    nodes: Mapping[str, NodeState] | None = None,
    executions: Mapping[str, UUID] | None = None,
) -> Context:
    """Answers the context of a run, or of a workflow that may start.

    `by` is the display name of who did it; the incidents are `incident_facts`; `service` and `team` are id and name;
    `executions` are the executions of runbook nodes, by node. Without an incident there is no root `incident`, and no
    `trigger.incident`.
    """
    trigger: dict[str, Json] = {"event": event.value, "by": by}
    context: dict[str, Json] = {
        "service": Open() if service is None else _named(service),
        "team": _named(team),
        "trigger": trigger,
        "nodes": {name: _told(state, (executions or {}).get(name)) for name, state in (nodes or {}).items()},
    }
    if incident_then is not None:
        trigger["incident"] = _with_open_labels(incident_then)
    if incident_now is not None:
        context["incident"] = _with_open_labels(incident_now)
    return context


def _told(state: NodeState, execution_id: UUID | None) -> dict[str, Json]:
    own: dict[str, Json] = {"status": state.status.value, "problem": state.problem}
    execution: dict[str, Json] = {} if execution_id is None else {"execution_id": str(execution_id)}
    return {**state.output, **execution, **own}


def _named(what: tuple[UUID, str]) -> dict[str, Json]:
    return {"id": str(what[0]), "name": what[1]}


def _with_open_labels(facts: Mapping[str, Json]) -> dict[str, Json]:
    labels = facts.get("labels")
    return {**facts, "labels": Open(labels if isinstance(labels, Mapping) else {})}
