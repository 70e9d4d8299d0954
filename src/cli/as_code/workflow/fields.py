"""What a file of a workflow says, from the contract: what has its default value is left out."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from cli.as_code.workflow import form as forms
from cli.as_code.workflow.form import FORMAT
from cli.as_code.workflow.names import Names
from cli.as_code.yaml_writing import plain_number
from cli.output import enum_name
from oncall.v1 import workflow_pb2 as pb

Fields = dict[str, Any]
FIELDS = ("description", "enabled", "trigger", "timeout_seconds", "nodes", "edges", "brake", "compensation")
"""What a file may change of a workflow: paths of an update mask, in the order of a file."""


def to_fields(workflow: pb.Workflow, *, team: str, names: Names) -> Fields:
    """Answers what a file of this workflow says, in its order."""
    heading = {"oncall": FORMAT, "name": workflow.name, "team": team}
    return _told(heading) | settings_of(workflow, names)


def settings_of(workflow: pb.Workflow, names: Names) -> Fields:
    """Answers what a workflow has beside its name and team, as files write it; the keys are `FIELDS`."""
    fields: Fields = {
        "description": workflow.description,
        "enabled": None if workflow.enabled else False,
        "trigger": _trigger(workflow.trigger),
        "timeout_seconds": _other(workflow.timeout_seconds, 3600),
        "nodes": [_node(node, names) for node in workflow.nodes],
        "edges": [_edge(edge) for edge in workflow.edges],
    }
    if workflow.HasField("brake"):
        fields["brake"] = _told(
            {"condition": workflow.brake.condition, "failed_runs": workflow.brake.failed_runs or None}
        )
    if workflow.HasField("compensation"):
        undo = workflow.compensation
        fields["compensation"] = _told(
            {
                "runbook": _runbook(undo.runbook, names),
                "role": _role(undo),
                "expires_seconds": _other(undo.expires_seconds, 3600),
            }
        )
    return _told(fields)


def same(one: Any, other: Any) -> bool:
    """Whether two values are written alike: for Python, true is 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _trigger(trigger: pb.WorkflowTrigger) -> Fields:
    return _told({"event": _word(trigger, "event"), "condition": trigger.condition})


def _node(node: pb.WorkflowNode, names: Names) -> Fields:
    work = node.WhichOneof("work")
    said: Fields = {
        "name": node.name,
        "timeout_seconds": node.timeout_seconds or None,
        "join": _other(_word(node, "join"), "any"),
    }
    if work is not None:
        said[work] = node_work(node, work, names)
    return {name: value for name, value in said.items() if value is not None}


def node_work(node: pb.WorkflowNode, work: str, names: Names) -> Fields:
    """Answers what a step says of its work, which is of that kind."""
    match work:
        case "runbook":
            return _runbook(node.runbook, names)
        case "condition":
            return {"expression": node.condition.expression}
        case "notify":
            channels = [names.channels.get(channel, channel) for channel in node.notify.channel_ids]
            return _told({"channels": channels, "subject": node.notify.subject, "body": node.notify.body})
        case "webhook":
            return _webhook(node.webhook)
        case "delay":
            return {"seconds": node.delay.seconds}
    asked = node.approval
    expires = asked.expires_seconds or None
    return _told({"role": _role(asked), "question": asked.question, "expires_seconds": expires})


def _runbook(work: pb.RunbookWork, names: Names) -> Fields:
    return _told(
        {
            "name": names.runbooks.get(work.runbook_id, work.runbook_id),
            "parameters": _values(work.parameters),
            "detached": work.detached or None,
        }
    )


def _webhook(work: pb.WebhookWork) -> Fields:
    said: Fields = _told({"url": work.url, "method": _other(work.method, "POST")})
    if work.HasField("body"):
        said["body"] = _values(work.body)  # also an empty one, which is not the same as none
    headers = [_told({name: getattr(header, name) for name in forms.Header.model_fields}) for header in work.headers]
    return said | _told({"headers": headers, "signing_secret_name": work.signing_secret_name})


def _edge(edge: pb.WorkflowEdge) -> Fields:
    on: Any = _word(edge, "on")
    on = {"true": True, "false": False}.get(on, on)  # as people write it, without quotes
    return {"from_node": edge.from_node, "to_node": edge.to_node} | ({} if on == "success" else {"on": on})


def _values(struct: Message) -> Fields:
    found: Fields = _plain(json_format.MessageToDict(struct))
    return found


def _plain(value: Any) -> Any:
    """Answers a value in the one way of writing it: a Struct keeps no order, and knows fractions alone."""
    if isinstance(value, dict):
        return {name: _plain(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return plain_number(value) if isinstance(value, float) else value


def _role(message: Message) -> str | None:
    role = _word(message, "role")
    return None if role == "responder" else role


def _word(message: Message, field: str) -> str:
    return enum_name(message, field).lower()


def _other(value: Any, usual: Any) -> Any:
    return None if value == usual else value


def _told(fields: Fields) -> Fields:
    """Answers what is worth saying: no empty text, list or mapping, and no None."""
    return {name: value for name, value in fields.items() if value is not None and value not in ("", [], {})}
