"""Fields that depend on one another, made to fit: what each of them may hold by itself is not enough."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from google.protobuf.message import Message

from oncall.v1 import incident_pb2, notification_pb2, status_page_pb2, team_pb2, workflow_pb2
from tests.fuzzing.values import changeable_in

_OVER = {incident_pb2.INCIDENT_STATUS_RESOLVED, incident_pb2.INCIDENT_STATUS_POSTMORTEM}
_OF_CONDITIONS = {workflow_pb2.WORKFLOW_EDGE_ON_TRUE, workflow_pb2.WORKFLOW_EDGE_ON_FALSE}
_TARGETS: Mapping[int, str] = {
    notification_pb2.CHANNEL_KIND_SLACK: "https://hooks.slack.com/services/T0/B0/x",
    notification_pb2.CHANNEL_KIND_EMAIL: "ops@example.org",
    notification_pb2.CHANNEL_KIND_PAGERDUTY: "0123456789abcdef0123456789abcdef",
    notification_pb2.CHANNEL_KIND_TEAMS: "workflows://prod.westus.logic.azure.com:443/0123/abcd",
    notification_pb2.CHANNEL_KIND_WEBHOOK: "https://hooks.example.org/in",
    notification_pb2.CHANNEL_KIND_APPRISE: "ntfys://example",
}


def fit(random: Random, message: Message) -> None:
    """Makes the fields of a filled message, but not of those in it, go together."""
    if (changeable := changeable_in(message.DESCRIPTOR)) is not None:
        mask: Any = message
        mask.update_mask.paths[:] = random.sample(changeable, random.randint(1, 2))
    if (rule := _RULES.get(message.DESCRIPTOR.name)) is not None:
        rule(message)


def _component(component: Any) -> None:
    if component.group:
        component.ClearField("group_id")
        component.ClearField("status")


def _reported(report: Any) -> None:
    """Nothing is under maintenance because an incident or a check says so."""
    for field in ("status", "status_when_silent"):
        if getattr(report, field, None) == status_page_pb2.COMPONENT_STATUS_UNDER_MAINTENANCE:
            setattr(report, field, status_page_pb2.COMPONENT_STATUS_MAJOR_OUTAGE)


def _incident(incident: Any) -> None:
    if not incident.status_page_id:
        incident.ClearField("impacts")
    _told(incident)


def _told(told: Any) -> None:
    """What is over does nothing to components any more; each component is named once."""
    impacts = {} if told.status in _OVER else {impact.component_id: copy.deepcopy(impact) for impact in told.impacts}
    del told.impacts[:]
    told.impacts.extend(impacts.values())


def _channel(channel: Any) -> None:
    channel.target = _TARGETS.get(channel.kind, channel.target)


def _trigger(trigger: Any) -> None:
    if trigger.event == workflow_pb2.WORKFLOW_EVENT_MANUAL:
        trigger.ClearField("condition")


def _asked(approval: Any) -> None:
    if approval.role == team_pb2.ROLE_OBSERVER:
        approval.role = team_pb2.ROLE_RESPONDER


def _header(header: Any) -> None:
    header.ClearField("value" if header.secret_name else "prefix")


def _workflow(workflow: Any) -> None:
    """Each step once; each edge once, between steps that there are, onwards by their names."""
    nodes = {node.name: copy.deepcopy(node) for node in workflow.nodes}
    edges = {(edge.from_node, edge.to_node): copy.deepcopy(edge) for edge in workflow.edges}
    del workflow.nodes[:], workflow.edges[:]
    workflow.nodes.extend(nodes.values())
    for (source, target), edge in edges.items():
        if source in nodes and target in nodes and source < target:
            if edge.on in _OF_CONDITIONS and nodes[source].WhichOneof("work") != "condition":
                edge.on = workflow_pb2.WORKFLOW_EDGE_ON_SUCCESS
            workflow.edges.append(edge)


_RULES: Mapping[str, Callable[[Any], None]] = {
    "AddIncidentUpdateRequest": _told,
    "ApprovalWork": _asked,
    "Component": _component,
    "ComponentImpact": _reported,
    "Incident": _incident,
    "NotificationChannel": _channel,
    "ReportComponentStatusRequest": _reported,
    "WebhookHeader": _header,
    "Workflow": _workflow,
    "WorkflowCompensation": _asked,
    "WorkflowTrigger": _trigger,
}
