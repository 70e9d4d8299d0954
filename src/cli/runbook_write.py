"""`oncall runbook create` and `revise`: what somebody wrote becomes a version to be reviewed."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer

from cli.connection import connected
from cli.lookup import RunbookName, TeamOption, find_runbook, find_team
from cli.output import Json, note, print_json
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
    TagOption,
    TimeoutOption,
    read_version,
)
from oncall.v1.runbook_pb2 import Runbook
from oncall.v1.runbook_service_pb2 import CreateRunbookRequest, CreateRunbookVersionRequest


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
    executor_tag: TagOption = None,
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
        tags=executor_tag,
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
    executor_tag: TagOption = None,
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
        tags=executor_tag,
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
