"""`oncall workflow schema`: the JSON schema of workflow files, for editors."""

from __future__ import annotations

from cli.as_code.workflow.form import json_schema_text


def schema() -> None:
    """Print the JSON schema of workflow files.

    \b
      oncall workflow schema > workflow.schema.json
    with, as the first line of a workflow's file:
      # yaml-language-server: $schema=workflow.schema.json
    """
    print(json_schema_text(), end="")
