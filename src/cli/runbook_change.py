"""`oncall runbook update`, `rollback`, `deprecate`, `archive` and `restore`: what changes a runbook as a whole."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from google.protobuf.field_mask_pb2 import FieldMask

from cli.connection import connected
from cli.failure import fail
from cli.lookup import RunbookName, TeamOption, find_runbook, find_service
from cli.output import Json, enum_name, print_json
from cli.visible import visible
from oncall.v1.runbook_pb2 import Runbook
from oncall.v1.runbook_service_pb2 import (
    ArchiveRunbookRequest,
    DeprecateRunbookRequest,
    RestoreRunbookRequest,
    RollbackRunbookRequest,
    UpdateRunbookRequest,
)


def update(
    name: RunbookName,
    team: TeamOption = "",
    new_name: Annotated[str | None, typer.Option("--name", help="A new name, unique within the team.")] = None,
    description: Annotated[str | None, typer.Option(help="What it does and when to use it.")] = None,
    service: Annotated[
        str | None, typer.Option(help="Name or id of a service of the team that it is about; empty: of none.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Change a runbook's name, description or service; what runs does not change.

    \b
      oncall runbook update restart-web --name restart-frontend
      oncall runbook update restart-web --description 'When it hangs.' --service web
    """
    with connected() as server:
        given: dict[str, Any] = {"name": new_name, "description": description, "service_id": service}
        changes = {field: value for field, value in given.items() if value is not None}
        if not changes:
            fail("say what to change: --name, --description or --service")
        found = find_runbook(server, name, team)
        if service:
            changes["service_id"] = find_service(server, service, found.team_id)
        request = UpdateRunbookRequest(
            runbook=Runbook(id=found.id, **changes), update_mask=FieldMask(paths=sorted(changes))
        )
        updated = server.runbooks.UpdateRunbook(request)
    if as_json:
        print_json(updated)
        return
    print(f"updated {visible(updated.runbook.name)}")


def rollback(
    name: RunbookName,
    version: Annotated[int, typer.Option("--version", "-V", min=1, help="An approved version, to run from now on.")],
    team: TeamOption = "",
    as_json: Json = False,
) -> None:
    """Make another approved version the one that runs, at once.

    \b
      oncall runbook versions restart-web
      oncall runbook rollback restart-web --version 2
    """
    with connected() as server:
        request = RollbackRunbookRequest(runbook_id=find_runbook(server, name, team).id, version=version)
        rolled_back = server.runbooks.RollbackRunbook(request)
    if as_json:
        print_json(rolled_back)
        return
    print(f"version {version} of {visible(rolled_back.runbook.name)} runs from now on")


def deprecate(name: RunbookName, team: TeamOption = "", as_json: Json = False) -> None:
    """Mark a runbook as one to avoid; it still runs, with a warning.

    \b
      oncall runbook deprecate restart-web
    """
    with connected() as server:
        request = DeprecateRunbookRequest(runbook_id=find_runbook(server, name, team).id)
        _say_where_it_stands(server.runbooks.DeprecateRunbook(request), as_json)


def archive(name: RunbookName, team: TeamOption = "", as_json: Json = False) -> None:
    """Take a runbook out of service; nothing of it is lost.

    \b
      oncall runbook archive restart-web
      oncall runbook restore restart-web
    """
    with connected() as server:
        request = ArchiveRunbookRequest(runbook_id=find_runbook(server, name, team).id)
        _say_where_it_stands(server.runbooks.ArchiveRunbook(request), as_json)


def restore(name: RunbookName, team: TeamOption = "", as_json: Json = False) -> None:
    """Bring an archived or deprecated runbook back into service.

    \b
      oncall runbook restore restart-web
    """
    with connected() as server:
        request = RestoreRunbookRequest(runbook_id=find_runbook(server, name, team).id)
        _say_where_it_stands(server.runbooks.RestoreRunbook(request), as_json)


def _say_where_it_stands(answer: Any, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    status = enum_name(answer.runbook, "status").replace("_", " ").lower()
    print(f"{visible(answer.runbook.name)} is {status}")
