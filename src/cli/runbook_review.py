"""`oncall runbook submit`, `withdraw`, `approve` and `reject`: one hands a version over, another answers for it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.connection import Server, connected
from cli.failure import fail
from cli.lookup import RunbookName, TeamOption, find_runbook
from cli.output import Json, note, print_json
from cli.runbook_view import print_version
from oncall.v1.runbook_pb2 import Runbook
from oncall.v1.runbook_service_pb2 import (
    ApproveRunbookRequest,
    GetRunbookVersionRequest,
    RejectRunbookRequest,
    SubmitRunbookForReviewRequest,
    WithdrawRunbookRequest,
)

DigestOption = Annotated[
    str, typer.Option(help="The digest of what you read; without it, the version is shown and you are asked.")
]
VersionOption = Annotated[int, typer.Option("--version", "-V", min=0, help="A version; by default the newest.")]


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


def approve(
    name: RunbookName,
    team: TeamOption = "",
    version: VersionOption = 0,
    digest: DigestOption = "",
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
            digest = _read_and_confirm(server, found, number, "approve")
        request = ApproveRunbookRequest(runbook_id=found.id, version=number, digest=digest, comment=comment)
        approved = server.runbooks.ApproveRunbook(request)
    if as_json:
        print_json(approved)
        return
    print(f"approved version {number} of {approved.runbook.name}; it runs from now on")


def reject(
    name: RunbookName,
    comment: Annotated[str, typer.Option(help="Why; whoever wrote it reads this.")],
    team: TeamOption = "",
    version: VersionOption = 0,
    digest: DigestOption = "",
    as_json: Json = False,
) -> None:
    """Reject a version that somebody else wrote, for good; it takes a new version to go on.

    \b
      oncall runbook reject restart-web --version 3 --comment 'It stops every host at once.'
    """
    with connected() as server:
        found = find_runbook(server, name, team)
        number = version or found.latest_version
        if not digest:
            digest = _read_and_confirm(server, found, number, "reject")
        request = RejectRunbookRequest(runbook_id=found.id, version=number, digest=digest, comment=comment)
        rejected = server.runbooks.RejectRunbook(request)
    if as_json:
        print_json(rejected)
        return
    print(f"rejected version {number} of {rejected.runbook.name}")


def withdraw(name: RunbookName, team: TeamOption = "", version: VersionOption = 0, as_json: Json = False) -> None:
    """Take a version that waits for review back to draft.

    \b
      oncall runbook withdraw restart-web
    """
    with connected() as server:
        request = WithdrawRunbookRequest(runbook_id=find_runbook(server, name, team).id, version=version)
        withdrawn = server.runbooks.WithdrawRunbook(request)
    if as_json:
        print_json(withdrawn)
        return
    print(f"version {withdrawn.version.version} of {withdrawn.runbook.name} is a draft again")


def _read_and_confirm(server: Server, found: Runbook, number: int, verb: str) -> str:
    """Shows the version to whoever decides about it, and answers its digest once they say yes."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail(
            "name what you read with --digest; without a terminal nobody can be asked (`oncall runbook show` tells it)"
        )
    version = server.runbooks.GetRunbookVersion(GetRunbookVersionRequest(runbook_id=found.id, version=number)).version
    print_version(version)
    print()
    if not typer.confirm(f"{verb.capitalize()} version {number} of {found.name} with digest {version.digest[:16]}…?"):
        fail("nothing was decided", 1)
    return version.digest
