"""`oncall runbook`: list and read runbooks; writing and reviewing them has modules of its own."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

import typer

from cli.connection import connected
from cli.lazy import LazyGroup, Verb
from cli.lookup import RunbookName, TeamOption, find_runbook, find_team, team_names
from cli.output import Json, print_json, to_json
from cli.paging import paged
from cli.runbook_review import approve, reject, submit, withdraw
from cli.runbook_view import print_runbook, print_runbooks, print_script
from cli.runbook_write import create, revise
from oncall.v1.runbook_pb2 import RunbookStatus
from oncall.v1.runbook_service_pb2 import GetRunbookVersionRequest, ListRunbooksRequest


class _Runbook(LazyGroup):
    verbs: ClassVar = {
        "versions": Verb("cli.runbook_history:versions", "List a runbook's versions, newest first."),
        "diff": Verb("cli.runbook_history:diff", "Show what differs between two versions."),
        "update": Verb("cli.runbook_change:update", "Change a runbook's name, description or service."),
        "rollback": Verb("cli.runbook_change:rollback", "Make another approved version the one that runs."),
        "deprecate": Verb("cli.runbook_change:deprecate", "Mark a runbook as one to avoid."),
        "archive": Verb("cli.runbook_change:archive", "Take a runbook out of service."),
        "restore": Verb("cli.runbook_change:restore", "Bring an archived or deprecated runbook back into service."),
        "apply": Verb("cli.as_code.runbook.apply:apply", "Make the server's runbooks be as files say."),
        "export": Verb("cli.as_code.runbook.export:export", "Write runbooks as files."),
        "schema": Verb("cli.as_code.runbook.schema:schema", "Print the JSON schema of runbook files."),
    }


runbook = typer.Typer(cls=_Runbook, no_args_is_help=True, rich_markup_mode=None, add_completion=False)
for _verb in (create, revise, submit, approve, reject, withdraw):
    runbook.command()(_verb)


class Status(StrEnum):
    DRAFT = "draft"
    PENDING_REVIEW = "pending-review"
    APPROVED = "approved"
    DEPRECATED = "deprecated"
    ARCHIVED = "archived"


@runbook.callback()
def about() -> None:
    """Write, read, review and list runbooks."""


@runbook.command("list")
def list_(
    team: TeamOption = "",
    status: Annotated[Status | None, typer.Option(help="Only in this status.")] = None,
    query: Annotated[str, typer.Option("--query", "-q", help="Only where name or description contains this.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="How many at most; 0: all of them.")] = 0,
    as_json: Json = False,
) -> None:
    """List the runbooks that you can see, newest first.

    \b
      oncall runbook list --status approved
      oncall runbook list --json | jq -r '.runbooks[].name'
    """
    with connected() as server:
        request = ListRunbooksRequest(
            team_id=find_team(server, team) if team else "",
            status=RunbookStatus.Value(f"RUNBOOK_STATUS_{status.name if status else 'UNSPECIFIED'}"),
            query=query,
        )
        found = list(paged(server.runbooks.ListRunbooks, request, "runbooks", limit=limit))
        if as_json:
            print_json({"runbooks": [to_json(item) for item in found]})
            return
        print_runbooks(found, team_names(server))


@runbook.command()
def show(
    name: RunbookName,
    team: TeamOption = "",
    version: Annotated[
        int, typer.Option("--version", "-V", min=0, help="A version; by default the one that runs, or else the newest.")
    ] = 0,
    only_script: Annotated[bool, typer.Option("--script", help="Print nothing but the script.")] = False,
    as_json: Json = False,
) -> None:
    """Show a runbook, and of one version its settings, parameters, digest and script.

    \b
      oncall runbook show restart-web
      oncall runbook show restart-web --version 3 --script > restart.sh
    """
    with connected() as server:
        found = find_runbook(server, name, team)
        request = GetRunbookVersionRequest(runbook_id=found.id, version=version)
        shown = server.runbooks.GetRunbookVersion(request).version
        if as_json:
            print_json({"runbook": to_json(found), "version": to_json(shown)})
        elif only_script:
            print_script(shown)
        else:
            print_runbook(found, shown, team_names(server).get(found.team_id, found.team_id))
