"""`oncall login`, `whoami` and `logout`: whose token is used, and for which server."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import credentials
from cli.connection import Server, connected
from cli.credentials import DEFAULT_SERVER, Credentials, CredentialsUnusable, normal_address
from cli.failure import fail
from cli.output import Json, enum_name, note, print_json
from cli.visible import visible
from oncall.channel import authorization
from oncall.v1.team_service_pb2 import GetCallerRequest, GetCallerResponse


def login(
    server: Annotated[str, typer.Option(envvar="ONCALL_SERVER", help="host:port of the server.")] = DEFAULT_SERVER,
    tls: Annotated[
        bool, typer.Option("--tls", envvar="ONCALL_TLS", help="Encrypt, trusting the certificates that gRPC brings.")
    ] = False,
    ca_file: Annotated[
        Path | None,
        typer.Option(envvar="ONCALL_CA_FILE", help="Encrypt, trusting the certificates of this PEM file.", exists=True),
    ] = None,
    client_certificate: Annotated[
        Path | None,
        typer.Option(envvar="ONCALL_CLIENT_CERTIFICATE", help="PEM file to show where the server asks for one."),
    ] = None,
    client_key: Annotated[Path | None, typer.Option(envvar="ONCALL_CLIENT_KEY", help="PEM file of its key.")] = None,
    as_json: Json = False,
) -> None:
    """Store the address of a server and your token for it.

    The token is asked for without echo, or read from standard input or ONCALL_TOKEN: never from the command line, where
    every user of this machine could read it. It is tried, then stored in ~/.config/oncall/credentials.json (mode 0600).

    \b
      oncall login --server oncall.example:7443 --tls
      oncall login --server oncall.example:7443 --ca-file ca.pem
      pass show oncall | oncall login --server oncall.example:7443
    """
    try:
        address = normal_address(server)
    except CredentialsUnusable as error:
        fail(str(error))
    found = Credentials(
        address,
        _read_token(address),
        tls or ca_file is not None,
        ca_file=_absolute(ca_file),
        client_certificate=_absolute(client_certificate),
        client_key=_absolute(client_key),
    )
    if not found.tls and not _is_loopback(address):
        note(f"warning: without --tls your token travels to {address} in clear")
    with connected(found) as connection:
        caller = connection.teams.GetCaller(GetCallerRequest())
    path = credentials.store(found)
    _introduce(caller, address, as_json=as_json)
    note(f"stored in {path}")


def whoami(as_json: Json = False) -> None:
    """Say who you are to the server, and in which teams."""
    with connected() as connection:
        _introduce(_caller(connection), connection.address, as_json=as_json)


def logout() -> None:
    """Forget the stored token. The token itself stays good: revoke it where it is no longer needed."""
    if credentials.forget():
        note("forgotten; the token itself is still good until it is revoked")
    else:
        note("nothing was stored")


def _caller(connection: Server) -> GetCallerResponse:
    return connection.teams.GetCaller(GetCallerRequest())


def _introduce(caller: GetCallerResponse, address: str, *, as_json: bool) -> None:
    if as_json:
        print_json(caller)
        return
    user = caller.user
    administers = ", platform admin" if user.is_platform_admin else ""
    print(f"{visible(user.display_name)} <{visible(user.email)}>{administers} at {address}")
    for membership in caller.memberships:
        role = enum_name(membership, "role").replace("_", " ").lower()
        print(f"  {visible(membership.team_name)}: {role}")
    if not caller.memberships:
        print("  in no team")


def _read_token(address: str) -> str:
    token = os.environ.get("ONCALL_TOKEN", "")
    if not token:
        token = getpass.getpass(f"Token for {address}: ") if sys.stdin.isatty() else sys.stdin.readline()
    try:
        authorization(token.strip())
    except ValueError as error:
        fail(f"this cannot be a token: {error}")
    return token.strip()


def _absolute(file: Path | None) -> str:
    return str(file.resolve()) if file else ""


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    return host == "localhost" or host == "::1" or host.startswith("127.")
