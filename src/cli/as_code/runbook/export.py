"""`oncall runbook export`: writes runbooks as files that `oncall runbook apply` finds unchanged."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.as_code.export_files import Overwrite, To, print_written, write_files
from cli.as_code.runbook.checking import RUNBOOKS
from cli.as_code.runbook.conversion import to_fields
from cli.as_code.runbook.form import json_schema_text
from cli.as_code.runbook.wanted import comparable_version
from cli.as_code.teams import service_names
from cli.as_code.yaml_writing import to_yaml
from cli.connection import Server, connected
from cli.failure import fail
from cli.lookup import TeamOption, find_runbook, find_team, team_names
from cli.output import Json, enum_name, note
from cli.paging import paged
from cli.visible import visible
from oncall.digest import digest_of
from oncall.v1.runbook_pb2 import RUNBOOK_STATUS_ARCHIVED, Runbook, RunbookVersion
from oncall.v1.runbook_service_pb2 import ListRunbooksRequest

SCHEMA_FILE = "runbook.schema.json"
_MODELINE = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"
_SUFFIXES = {"BASH": "sh", "PYTHON": "py", "JAVASCRIPT": "js"}


def export(
    to: To,
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="Names or ids of runbooks.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of a team but the archived ones.")] = False,
    team: TeamOption = "",
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write runbooks as files: NAME.yaml, and its script beside it as NAME.sh, .py or .js.

    Of each the newest version is written, or the one that runs where the newest was rejected. A file that says the same
    already is left as it is, with its comments. The folder also gets the JSON schema that editors check the files with.

    \b
      oncall runbook export restart-web --to runbooks/
      oncall runbook export --all --team payments --to runbooks/
    """
    if every == bool(names):
        fail("say which runbooks: names, or --all")
    with connected() as server:
        files = _files_of(server, names or [], team)
    written = write_files(to, files, RUNBOOKS, replaceable=set(files) if overwrite else {SCHEMA_FILE})
    print_written(to, files, written, as_json=as_json)


def _files_of(server: Server, names: list[str], team: str) -> dict[str, str]:
    """Answers the content of each file by its name."""
    found = [find_runbook(server, name, team) for name in dict.fromkeys(names)] or _all_of(server, team)
    teams = team_names(server)
    services = {team_id: service_names(server, team_id) for team_id in {r.team_id for r in found if r.service_id}}
    files = {SCHEMA_FILE: json_schema_text()}
    for runbook in found:
        version = comparable_version(server, runbook)
        _check_digest(runbook, version)
        script_file = f"{runbook.name}.{_SUFFIXES[enum_name(version, 'language')]}"
        fields = to_fields(
            runbook,
            version,
            team=teams.get(runbook.team_id, runbook.team_id),
            service=services.get(runbook.team_id, {}).get(runbook.service_id, runbook.service_id),
            script_file=script_file,
        )
        if f"{runbook.name}.yaml" in files:
            fail(f"two of these runbooks are named {visible(runbook.name)}: export each team to a folder of its own")
        files[f"{runbook.name}.yaml"] = _MODELINE + to_yaml(fields)
        files[script_file] = version.script
        if runbook.current_version not in {0, version.version}:
            running = f"while version {runbook.current_version} is what runs"
            note(f"{visible(runbook.name)}: version {version.version} is exported, {running}")
    return files


def _all_of(server: Server, team: str) -> list[Runbook]:
    request = ListRunbooksRequest(team_id=find_team(server, team))
    found = paged(server.runbooks.ListRunbooks, request, "runbooks")
    return [runbook for runbook in found if runbook.status != RUNBOOK_STATUS_ARCHIVED]


def _check_digest(runbook: Runbook, version: RunbookVersion) -> None:
    if digest_of(version) != version.digest:
        fail(f"{runbook.name}: what the server sent is not what its digest says; use the release that goes with it", 1)
