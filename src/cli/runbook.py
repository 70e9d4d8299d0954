"""`oncall runbook`: write, list, read and review runbooks."""

from __future__ import annotations

import sys
import uuid
from enum import StrEnum
from typing import Annotated

import typer

from cli.connection import Server, connected
from cli.failure import fail
from cli.lookup import RunbookName, TeamOption, find_runbook, find_team, team_names
from cli.output import Json, note, print_json, to_json
from cli.paging import paged
from cli.runbook_content import (
    ConfirmOption,
    DefinitionsOption,
    LanguageOption,
    Network,
    NetworkOption,
    NoteOption,
    RetriesOption,
    ScriptOption,
    SecretOption,
    SpecOption,
    TimeoutOption,
    read_version,
)
from cli.runbook_view import print_runbook, print_runbooks, print_script, print_version
from oncall.v1.runbook_pb2 import Runbook, RunbookStatus
from oncall.v1.runbook_service_pb2 import (
    ApproveRunbookRequest,
    CreateRunbookRequest,
    CreateRunbookVersionRequest,
    GetRunbookVersionRequest,
    ListRunbooksRequest,
    SubmitRunbookForReviewRequest,
)

runbook = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)

VersionOption = Annotated[int, typer.Option("--version", "-V", min=0, help="A version; by default the newest.")]


class Status(StrEnum):
    DRAFT = "draft"
    PENDING_REVIEW = "pending-review"
    APPROVED = "approved"
    DEPRECATED = "deprecated"
    ARCHIVED = "archived"


@runbook.callback()
def about() -> None:
    """Write, read, review and list runbooks."""


@runbook.command()
def create(
    name: Annotated[str, typer.Argument(help="Unique within the team: letters, digits, '.', '_', '-'.")],
    script: ScriptOption,
    team: TeamOption = "",
    description: Annotated[str, typer.Option(help="What it does and when to use it.")] = "",
    language: LanguageOption = None,
    timeout: TimeoutOption = 0,
    max_retries: RetriesOption = 0,
    requires_confirm: ConfirmOption = False,
    network: NetworkOption = Network.NONE,
    secret: SecretOption = None,
    parameter: SpecOption = None,
    parameters: DefinitionsOption = "",
    note_: NoteOption = "",
    as_json: Json = False,
) -> None:
    """Create a runbook with its first version, as a draft.

    \b
    A parameter is NAME[:TYPE][:MODIFIER…], a colon within a value written \\:
      types      string (default), integer, number, boolean, enum
      modifiers  required, sensitive, default=…, description=…, pattern=…,
                 min=…, max=…, max-length=…, options=a,b,c

    \b
      oncall runbook create restart-web --script restart.sh \\
          -p host:string:required:pattern='web-[0-9]+' -p force:boolean:default=false
      oncall runbook create rotate-logs --script - --language bash < rotate
    """
    version = read_version(
        script,
        language,
        timeout=timeout,
        max_retries=max_retries,
        requires_confirm=requires_confirm,
        network=network,
        secrets=secret,
        specs=parameter,
        definitions_file=parameters,
        note=note_,
    )
    with connected() as server:
        new = Runbook(name=name, team_id=find_team(server, team), description=description)
        created = server.runbooks.CreateRunbook(
            CreateRunbookRequest(runbook=new, version=version, request_id=str(uuid.uuid4()))
        )
    if as_json:
        print_json(created)
        return
    print(f"created {name}, version 1, digest {created.version.digest}")
    note(f"next: oncall runbook submit {name}")


@runbook.command()
def revise(
    name: RunbookName,
    script: ScriptOption,
    team: TeamOption = "",
    language: LanguageOption = None,
    timeout: TimeoutOption = 0,
    max_retries: RetriesOption = 0,
    requires_confirm: ConfirmOption = False,
    network: NetworkOption = Network.NONE,
    secret: SecretOption = None,
    parameter: SpecOption = None,
    parameters: DefinitionsOption = "",
    note_: NoteOption = "",
    as_json: Json = False,
) -> None:
    """Add a version to a runbook, as a draft; what runs does not change.

    A version is whole: parameters and settings of the version before are not taken over. Options as for create.

    \b
      oncall runbook revise restart-web --script restart.sh -p host:string:required --note "waits for the drain"
    """
    version = read_version(
        script,
        language,
        timeout=timeout,
        max_retries=max_retries,
        requires_confirm=requires_confirm,
        network=network,
        secrets=secret,
        specs=parameter,
        definitions_file=parameters,
        note=note_,
    )
    with connected() as server:
        runbook_id = find_runbook(server, name, team).id
        created = server.runbooks.CreateRunbookVersion(
            CreateRunbookVersionRequest(runbook_id=runbook_id, version=version, request_id=str(uuid.uuid4()))
        )
    if as_json:
        print_json(created)
        return
    print(f"created version {created.version.version} of {name}, digest {created.version.digest}")
    note(f"next: oncall runbook submit {name} --version {created.version.version}")


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


@runbook.command()
def submit(name: RunbookName, team: TeamOption = "", version: VersionOption = 0, as_json: Json = False) -> None:
    """Submit a draft version for review by somebody else.

    \b
      oncall runbook submit restart-web
    """
    with connected() as server:
        request = SubmitRunbookForReviewRequest(runbook_id=find_runbook(server, name, team).id, version=version)
        submitted = server.runbooks.SubmitRunbookForReview(request)
    if as_json:
        print_json(submitted)
        return
    number = submitted.version.version
    print(f"version {number} of {submitted.runbook.name} waits for review")
    note(f"next, somebody else: oncall runbook approve {submitted.runbook.name} --version {number}")


@runbook.command()
def approve(
    name: RunbookName,
    team: TeamOption = "",
    version: VersionOption = 0,
    digest: Annotated[str, typer.Option(help="The digest of what you read; without it, it is shown and asked.")] = "",
    comment: Annotated[str, typer.Option(help="What you have to say about it.")] = "",
    as_json: Json = False,
) -> None:
    """Approve a version that somebody else wrote, and make it the one that runs.

    On a terminal the version is shown, and approved once you say so. Elsewhere --digest must name what you read.

    \b
      oncall runbook approve restart-web --version 3
      oncall runbook approve restart-web --version 3 --digest 5f3c…
    """
    with connected() as server:
        found = find_runbook(server, name, team)
        number = version or found.latest_version
        if not digest:
            digest = _read_and_confirm(server, found, number)
        request = ApproveRunbookRequest(runbook_id=found.id, version=number, digest=digest, comment=comment)
        approved = server.runbooks.ApproveRunbook(request)
    if as_json:
        print_json(approved)
        return
    print(f"approved version {number} of {approved.runbook.name}; it runs from now on")


def _read_and_confirm(server: Server, found: Runbook, number: int) -> str:
    """Shows the version to whoever approves it, and answers its digest once they say yes."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail(
            "name what you read with --digest; without a terminal nobody can be asked (`oncall runbook show` tells it)"
        )
    version = server.runbooks.GetRunbookVersion(GetRunbookVersionRequest(runbook_id=found.id, version=number)).version
    print_version(version)
    print()
    if not typer.confirm(f"Approve version {number} of {found.name} with digest {version.digest[:16]}…?"):
        fail("not approved", 1)
    return version.digest
