"""The JSON schema for editors is the one that the command's own checks come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.protobuf.message import Message
from typer.testing import CliRunner

from cli.main import app
from oncall.v1 import workflow_pb2 as pb

ROOT = Path(__file__).parents[5]
GIVEN_BY_THE_SERVER = {"secret_names", "id", "version", "etag", "created_by", "created_at", "updated_at"}
IN_FILES_BY_NAME = {"team_id": "team", "runbook_id": "name", "channel_ids": "channels"}


def test_the_file_is_what_the_command_prints() -> None:
    printed = CliRunner().invoke(app, ["workflow", "schema"]).stdout
    message = "run: oncall workflow schema > schemas/workflow.schema.json"
    assert (ROOT / "schemas/workflow.schema.json").read_text() == printed, message


@pytest.mark.parametrize(
    ("message", "definition"),
    [
        (pb.Workflow, ""),
        (pb.WorkflowTrigger, "Trigger"),
        (pb.WorkflowNode, "Node"),
        (pb.WorkflowEdge, "Edge"),
        (pb.RunbookWork, "Runbook"),
        (pb.ConditionWork, "Condition"),
        (pb.NotifyWork, "Notify"),
        (pb.WebhookWork, "Webhook"),
        (pb.WebhookHeader, "Header"),
        (pb.DelayWork, "Delay"),
        (pb.ApprovalWork, "Approval"),
        (pb.WorkflowBrake, "Brake"),
        (pb.WorkflowCompensation, "Compensation"),
    ],
)
def test_every_field_of_the_contract_can_be_written_in_a_file(message: type[Message], definition: str) -> None:
    schema = json.loads((ROOT / "schemas/workflow.schema.json").read_text())
    known = schema["$defs"][definition] if definition else schema
    fields = set(message.DESCRIPTOR.fields_by_name) - (set() if definition else GIVEN_BY_THE_SERVER)
    expected = {IN_FILES_BY_NAME.get(field, field) for field in fields} | (set() if definition else {"oncall"})
    assert set(known["properties"]) == expected
