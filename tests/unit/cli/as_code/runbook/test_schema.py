"""The JSON schema for editors is the one that the command's own checks come from."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from cli.as_code.runbook.form import RunbookForm
from cli.main import app
from oncall.v1.runbook_pb2 import ParameterDefinition, ResourceLimits, RunbookVersion

ROOT = Path(__file__).parents[5]
GIVEN_BY_THE_SERVER = {
    "runbook_id", "version", "digest", "status", "created_by", "created_at", "submitted_by", "submitted_at",
    "reviewed_by", "reviewed_at", "review_comment",
}  # fmt: skip


def test_the_file_is_what_the_command_prints() -> None:
    printed = CliRunner().invoke(app, ["runbook", "schema"]).stdout
    message = "run: oncall runbook schema > schemas/runbook.schema.json"
    assert (ROOT / "schemas/runbook.schema.json").read_text() == printed, message


def test_every_field_that_runs_can_be_written_in_a_file_under_its_own_name() -> None:
    schema = json.loads((ROOT / "schemas/runbook.schema.json").read_text())
    fields = set(RunbookVersion.DESCRIPTOR.fields_by_name) - GIVEN_BY_THE_SERVER
    assert fields <= set(schema["properties"]) == set(RunbookForm.model_fields)
    assert set(schema["$defs"]["Limits"]["properties"]) == set(ResourceLimits.DESCRIPTOR.fields_by_name)
    kinds = [kind["properties"] for name, kind in schema["$defs"].items() if name.endswith("Parameter")]
    assert set().union(*kinds) == set(ParameterDefinition.DESCRIPTOR.fields_by_name)
