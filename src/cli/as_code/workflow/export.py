"""`oncall workflow export`: writes workflows as files that `oncall workflow apply` finds unchanged."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.as_code.export_files import Overwrite, To, file_name, print_written, write_files
from cli.as_code.workflow.checking import WORKFLOWS
from cli.as_code.workflow.fields import to_fields
from cli.as_code.workflow.form import json_schema_text
from cli.as_code.workflow.names import Names, read_names
from cli.as_code.yaml_writing import to_yaml
from cli.connection import Server, connected
from cli.failure import fail
from cli.lookup import TeamOption, find_team, find_workflow, team_names
from cli.output import Json
from cli.paging import paged
from cli.visible import visible
from oncall.v1.workflow_pb2 import Workflow
from oncall.v1.workflow_service_pb2 import GetWorkflowRequest, ListWorkflowsRequest

SCHEMA_FILE = "workflow.schema.json"
_MODELINE = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"


def export(
    to: To,
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="Names or ids of workflows.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of a team.")] = False,
    team: TeamOption = "",
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write workflows as files: NAME.yaml, with runbooks and channels by their names.

    A file that says the same already is left as it is, with its comments. The folder also gets the JSON schema that
    editors check the files with.

    \b
      oncall workflow export restart-on-alarm --to workflows/
      oncall workflow export --all --team payments --to workflows/
    """
    if every == bool(names):
        fail("say which workflows: names, or --all")
    with connected() as server:
        files = _files_of(server, names or [], team)
    written = write_files(to, files, WORKFLOWS, replaceable=set(files) if overwrite else {SCHEMA_FILE})
    print_written(to, files, written, as_json=as_json)


def _files_of(server: Server, wanted: list[str], team: str) -> dict[str, str]:
    """Answers the content of each file by its name."""
    found = [find_workflow(server, name, team) for name in dict.fromkeys(wanted)] or _all_of(server, team)
    teams = team_names(server)
    known: dict[str, Names] = {team_id: read_names(server, team_id) for team_id in {item.team_id for item in found}}
    files = {SCHEMA_FILE: json_schema_text()}
    for workflow in found:
        name = f"{file_name(workflow.name)}.yaml"
        if name in files:
            fail(f"two of these workflows would be {visible(name)}: export them to folders of their own")
        fields = to_fields(workflow, team=teams.get(workflow.team_id, workflow.team_id), names=known[workflow.team_id])
        files[name] = _MODELINE + to_yaml(fields)
    return files


def _all_of(server: Server, team: str) -> list[Workflow]:
    request = ListWorkflowsRequest(team_id=find_team(server, team))
    ids = [item.id for item in paged(server.workflows.ListWorkflows, request, "workflows")]
    return [server.workflows.GetWorkflow(GetWorkflowRequest(workflow_id=found)).workflow for found in ids]
