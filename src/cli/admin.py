"""`oncall admin`: what must be possible before anybody can call the server."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cli.launcher.data_folder import DataFolder
from cli.launcher.refusal import CannotStart
from cli.launcher.settings import LauncherSettings, base_environment
from cli.launcher.stack import bootstrap
from kernel.settings import fail, load

admin = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@admin.callback()
def _group() -> None:
    """Set up an installation that runs on this machine."""


@admin.command()
def create(
    email: Annotated[str, typer.Option(help="Their e-mail address.")],
    name: Annotated[str, typer.Option(help="Their name.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print {user_id, token} for programs.")] = False,
) -> None:
    """Create a platform administrator, or give an existing one a new token.

    Works beside a running `oncall up`, for whoever may read its data folder (ONCALL_DATA_DIR).

    \b
    Example:
      oncall admin create --email ada@example.com --name 'Ada Author'
    """
    settings = load(LauncherSettings)
    data = DataFolder(settings.data_folder)
    running = data.read_json("environment.json") if data.is_locked() else {}
    if not running:
        fail(f"no installation runs on the data folder {data.path}: start `oncall up`, or name its ONCALL_DATA_DIR")
    key = settings.master_key.get_secret_value() if settings.master_key else data.master_key()
    environment = {**base_environment(), **running["environment"], "ONCALL_MASTER_KEY": key}
    try:
        created = bootstrap(data, environment, "admin", "--email", email, "--name", name)
    except CannotStart as refusal:
        fail(str(refusal))
    if as_json:
        typer.echo(json.dumps(created))
        return
    typer.echo(f"{name} is an administrator. The token is shown only this once:\n  {created['token']}")
    typer.echo(f"Log in with it: oncall login --server {running['server']}")
