"""`oncall runbook versions` and `diff`: what a runbook has been, and what changed on the way."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.connection import connected
from cli.lookup import RunbookName, TeamOption, find_runbook
from cli.output import Json, enum_name, local_time, note, print_json, print_table, to_json
from cli.paging import paged
from oncall.v1.runbook_pb2 import Runbook, RunbookVersion
from oncall.v1.runbook_service_pb2 import DiffRunbookVersionsRequest, ListRunbookVersionsRequest


def versions(
    name: RunbookName,
    team: TeamOption = "",
    limit: Annotated[int, typer.Option(min=0, help="How many at most; 0: all of them.")] = 0,
    as_json: Json = False,
) -> None:
    """List a runbook's versions, newest first.

    \b
      oncall runbook versions restart-web
    """
    with connected() as server:
        found = find_runbook(server, name, team)
        request = ListRunbookVersionsRequest(runbook_id=found.id)
        listed = list(paged(server.runbooks.ListRunbookVersions, request, "versions", limit=limit))
    if as_json:
        print_json({"versions": [to_json(version) for version in listed]})
        return
    columns = ("VERSION", "STATUS", "RUNS", "CREATED", "DIGEST", "NOTE", "REVIEW")
    print_table(columns, [_row(found, version) for version in listed], empty="no versions")


def diff(
    name: RunbookName,
    team: TeamOption = "",
    old: Annotated[
        int, typer.Option("--from", min=0, help="By default the one that runs, or else the one before.")
    ] = 0,
    new: Annotated[int, typer.Option("--to", min=0, help="By default the newest.")] = 0,
    as_json: Json = False,
) -> None:
    """Show what differs between two versions, settings first, then the script.

    \b
      oncall runbook diff restart-web
      oncall runbook diff restart-web --from 2 --to 4
    """
    from cli.as_code.show import print_diff

    with connected() as server:
        found = find_runbook(server, name, team)
        newer = new or found.latest_version
        older = old or _older_than(newer, found)
        request = DiffRunbookVersionsRequest(runbook_id=found.id, from_version=older, to_version=newer)
        compared = server.runbooks.DiffRunbookVersions(request)
    if as_json:
        print_json({"from_version": older, "to_version": newer, "diff": compared.diff})
        return
    print_diff(compared.diff)
    if not compared.diff:
        note(f"version {older} and version {newer} run the same")


def _older_than(newer: int, found: Runbook) -> int:
    runs = found.current_version
    return runs if runs and runs != newer else max(newer - 1, 1)


def _row(found: Runbook, version: RunbookVersion) -> tuple[str, ...]:
    return (
        str(version.version),
        enum_name(version, "status"),
        "yes" if version.version == found.current_version else "",
        local_time(version.created_at),
        version.digest[:16],
        version.change_note.partition("\n")[0],
        version.review_comment.partition("\n")[0],
    )
