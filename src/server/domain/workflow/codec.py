"""A definition as JSON, as it is kept with a workflow and with every run of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from server.domain.permission import Role
from server.domain.workflow.definition import (
    ApprovalWork,
    Brake,
    Compensation,
    ConditionWork,
    Definition,
    DelayWork,
    Edge,
    Event,
    Header,
    Join,
    Node,
    NotifyWork,
    On,
    RunbookWork,
    Trigger,
    WebhookWork,
    Work,
)

_KINDS: Mapping[str, type[Work]] = {
    "runbook": RunbookWork,
    "condition": ConditionWork,
    "notify": NotifyWork,
    "webhook": WebhookWork,
    "delay": DelayWork,
    "approval": ApprovalWork,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def kind_of(work: Work) -> str:
    """Answers what a kind of work is called: in JSON, in the contract's oneof, and to people."""
    return _NAMES[type(work)]


def definition_to_json(definition: Definition) -> dict[str, Any]:
    """Answers plain JSON values; what has its default is written too, so that defaults may change later."""
    return {
        "name": definition.name,
        "trigger": {"event": definition.trigger.event.value, "condition": definition.trigger.condition},
        "nodes": [_node_to_json(node) for node in definition.nodes],
        "edges": [{"source": edge.source, "target": edge.target, "on": edge.on.value} for edge in definition.edges],
        "timeout_seconds": definition.timeout_seconds,
        "brake": asdict(definition.brake) if definition.brake else None,
        "compensation": _compensation_to_json(definition.compensation) if definition.compensation else None,
    }


def definition_from_json(kept: Mapping[str, Any]) -> Definition:
    """Reads what `definition_to_json` wrote."""
    return Definition(
        name=kept["name"],
        trigger=Trigger(Event(kept["trigger"]["event"]), kept["trigger"]["condition"]),
        nodes=tuple(_node_from_json(node) for node in kept["nodes"]),
        edges=tuple(Edge(edge["source"], edge["target"], On(edge["on"])) for edge in kept["edges"]),
        timeout_seconds=kept["timeout_seconds"],
        brake=Brake(**kept["brake"]) if kept["brake"] else None,
        compensation=_compensation_from_json(kept["compensation"]) if kept["compensation"] else None,
    )


def _node_to_json(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "timeout_seconds": node.timeout_seconds,
        "join": node.join.value,
        kind_of(node.work): _work_to_json(node.work),
    }


def _node_from_json(kept: Mapping[str, Any]) -> Node:
    kind = next(kind for kind in _KINDS if kind in kept)
    return Node(kept["name"], _work_from_json(kind, kept[kind]), kept["timeout_seconds"], Join(kept["join"]))


def _compensation_to_json(compensation: Compensation) -> dict[str, Any]:
    return {
        "runbook": _work_to_json(compensation.work),
        "role": compensation.role.name,
        "expires_seconds": compensation.expires_seconds,
    }


def _compensation_from_json(kept: Mapping[str, Any]) -> Compensation:
    return Compensation(_runbook(kept["runbook"]), Role[kept["role"]], kept["expires_seconds"])


def _work_to_json(work: Work) -> dict[str, Any]:
    form = asdict(work)
    match work:
        case RunbookWork():
            form["runbook_id"] = str(work.runbook_id)
        case NotifyWork():
            form["channel_ids"] = [str(channel_id) for channel_id in work.channel_ids]
        case WebhookWork():
            form["headers"] = list(form["headers"])
        case ApprovalWork():
            form["role"] = work.role.name
    return form


def _work_from_json(kind: str, kept: Mapping[str, Any]) -> Work:
    match kind:
        case "runbook":
            return _runbook(kept)
        case "notify":
            return NotifyWork(**{**kept, "channel_ids": tuple(UUID(text) for text in kept["channel_ids"])})
        case "webhook":
            return WebhookWork(**{**kept, "headers": tuple(Header(**header) for header in kept["headers"])})
        case "approval":
            return ApprovalWork(**{**kept, "role": Role[kept["role"]]})
    return _KINDS[kind](**kept)


def _runbook(kept: Mapping[str, Any]) -> RunbookWork:
    return RunbookWork(**{**kept, "runbook_id": UUID(kept["runbook_id"])})
