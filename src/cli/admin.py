"""`oncall admin`: what must be possible before anybody can call the server."""

from __future__ import annotations

import json
import subprocess
from typing import Annotated, Any

import typer

from cli.launcher.data_folder import DataFolder
from cli.launcher.encryption_keys import fingerprint
from cli.launcher.program import PYTHON_MODULE
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
    data, running, environment = _running_installation()
    try:
        created = bootstrap(data, environment, "admin", "--email", email, "--name", name)
    except CannotStart as refusal:
        fail(str(refusal))
    if as_json:
        typer.echo(json.dumps(created))
        return
    typer.echo(f"{name} is an administrator. The token is shown only this once:\n  {created['token']}")
    trust = f" --ca-file {running['ca_file']}" if running.get("ca_file") else ""
    typer.echo(f"Log in with it: oncall login --server {running['server']}{trust}")


@admin.command()
def rotate_keys(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for programs.")] = False,
) -> None:
    """Encrypt every stored secret under the first of ONCALL_ENCRYPTION_KEYS.

    Works beside an `oncall up` that was started with the same keys. It may be interrupted at any moment and run again.
    Says at the end whether the older keys are still needed, and exits with 1 where a secret is still under one.

    \b
    Example, after a restart with the same variable:
      ONCALL_ENCRYPTION_KEYS="$NEW,$OLD" oncall admin rotate-keys
    """
    _, running, environment = _running_installation()
    if running.get("keys") != fingerprint(environment):
        fail(
            "the running installation was started with other keys: give this command the same ONCALL_ENCRYPTION_KEYS "
            "and ONCALL_MASTER_KEY, or restart `oncall up` with these"
        )
    command = [*PYTHON_MODULE, "server.rotate_keys", *(["--json"] if as_json else [])]
    raise typer.Exit(subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False).returncode)


def _running_installation() -> tuple[DataFolder, dict[str, Any], dict[str, str]]:
    """Answers the data folder, what its launcher says of itself, and what a process with a database is told."""
    settings = load(LauncherSettings)
    data = DataFolder(settings.data_folder)
    running = data.read_json("environment.json") if data.is_locked() else {}
    if not running:
        fail(f"no installation runs on the data folder {data.path}: start `oncall up`, or name its ONCALL_DATA_DIR")
    key = settings.master_key.get_secret_value() if settings.master_key else data.master_key()
    return data, running, {**base_environment(), **running["environment"], "ONCALL_MASTER_KEY": key}
