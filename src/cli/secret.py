"""`oncall secret`: a team's secrets by name. Values go in by a prompt, a pipe or a file, and never come out."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from cli import confirmation
from cli.connection import Server, connected
from cli.lookup import TeamOption, find_team
from cli.output import Json, local_time, note, print_json, print_table, to_json
from cli.paging import paged
from cli.runbook_content import read_text
from cli.visible import visible
from oncall.v1.secret_pb2 import Secret
from oncall.v1.secret_service_pb2 import DeleteSecretRequest, ListSecretsRequest, PutSecretRequest

secret = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)

SecretName = Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits and '_', beginning with a letter.")]


@secret.callback()
def about() -> None:
    """Put, list and delete the secrets that scripts are given."""


@secret.command()
def put(
    name: SecretName,
    team: TeamOption = "",
    file: Annotated[str, typer.Option("--file", metavar="FILE", help="Take the value from a file, as it is.")] = "",
    as_json: Json = False,
) -> None:
    """Store a secret of 8 bytes to 64 KiB, new or instead of the value it had.

    The value is asked for without echo, or read from standard input, of which one line break at the end is left out:
    never from the command line, where every user of this machine could read it. Executions that begin from now on get
    it, as SECRET_<NAME> and as the file $ONCALL_SECRETS/<name>, if the version that was approved names it.

    \b
      oncall secret put db_password
      pass show database | oncall secret put db_password
      oncall secret put deploy_key --file id_ed25519
    """
    value = read_text(file) if file else _read_value(name)
    with connected() as server:
        request = PutSecretRequest(team_id=find_team(server, team), name=name, value=value)
        stored = server.secrets.PutSecret(request)
    if as_json:
        print_json(stored)
        return
    is_new = stored.secret.created_at == stored.secret.updated_at
    print(f"stored {visible(name)}" if is_new else f"replaced the value of {visible(name)}")


@secret.command("list")
def list_(team: TeamOption = "", as_json: Json = False) -> None:
    """List the names of a team's secrets; nobody can list their values.

    \b
      oncall secret list
      oncall secret list --json | jq -r '.secrets[].name'
    """
    with connected() as server:
        found = list(_secrets(server, find_team(server, team)))
    if as_json:
        print_json({"secrets": [to_json(item) for item in found]})
        return
    rows = ((item.name, local_time(item.updated_at), item.updated_by) for item in found)
    print_table(("NAME", "VALUE OF", "BY"), rows, empty="no secrets")


@secret.command()
def delete(
    name: SecretName,
    team: TeamOption = "",
    yes: confirmation.Yes = False,
) -> None:
    """Delete a secret that no runbook needs. Deleting one that is not there changes nothing.

    \b
      oncall secret delete db_password
    """
    with connected() as server:
        team_id = find_team(server, team)
        if not any(item.name == name for item in _secrets(server, team_id)):
            note(f"the team has no secret {visible(name)!r}; nothing was deleted")
            return
        question = f"Delete {visible(name)}? Nobody can read its value again."
        confirmation.require(question, yes=yes, otherwise="not deleted")
        server.secrets.DeleteSecret(DeleteSecretRequest(team_id=team_id, name=name))
    print(f"deleted {visible(name)}")


def _secrets(server: Server, team_id: str) -> list[Secret]:
    return list(paged(server.secrets.ListSecrets, ListSecretsRequest(team_id=team_id), "secrets"))


def _read_value(name: str) -> str:
    if confirmation.is_terminal():
        return getpass.getpass(f"Value of {visible(name)}: ")
    return read_text("-").removesuffix("\n")
