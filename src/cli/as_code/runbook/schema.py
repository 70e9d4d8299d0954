"""`oncall runbook schema`: the JSON schema of runbook files, for editors."""

from __future__ import annotations

from cli.as_code.runbook.form import json_schema_text


def schema() -> None:
    """Print the JSON schema of runbook files.

    \b
      oncall runbook schema > runbook.schema.json
    with, as the first line of a runbook's file:
      # yaml-language-server: $schema=runbook.schema.json
    """
    print(json_schema_text(), end="")
