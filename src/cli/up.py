"""`oncall up`: runs a whole installation on this machine until Ctrl-C."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.launcher import demonstration
from cli.launcher.data_folder import DEMO_FILE, DataFolder
from cli.launcher.local_tls import LocalTls
from cli.launcher.refusal import CannotStart
from cli.launcher.settings import LauncherSettings, base_environment
from cli.launcher.stack import Stack
from cli.launcher.supervisor import StopRequested, raise_on_signals
from cli.launcher.terminal import Terminal
from kernel.settings import fail, load

Tls = Annotated[
    bool,
    typer.Option("--tls", help="Make an authority and certificates for this machine; serve HTTPS, and gRPC over TLS."),
]
Demo = Annotated[bool, typer.Option("--demo", help="Fill it with a demo team, three runbooks and a status page.")]


def up(demo: Demo = False, tls: Tls = False) -> None:
    """Run everything on this machine: PostgreSQL, Redis, server, jobs, executor, gateway. Ctrl-C stops all of it.

    All data lives in one folder, which it names; see the README for the settings, all in the environment.

    Examples:

        oncall up --demo

        oncall up --tls

        ONCALL_DATA_DIR=/srv/oncall ONCALL_SERVER_LISTEN=0.0.0.0:7443 oncall up
    """
    settings = load(LauncherSettings)
    data = DataFolder(settings.data_folder)
    terminal = Terminal()
    raise_on_signals()
    try:
        data.open()
        local_tls = LocalTls(data.path, settings, base_environment()) if tls else None
        _serve(settings, data, terminal, local_tls, demo=demo)
    except StopRequested:
        terminal.say("Stopped; your data is in " + str(data.path))
    except CannotStart as refusal:
        fail(str(refusal))


def _serve(
    settings: LauncherSettings, data: DataFolder, terminal: Terminal, tls: LocalTls | None, *, demo: bool
) -> None:
    data.remove(DEMO_FILE)  # a killed launcher left it: it names the ports of another time
    terminal.say(f"Starting; data folder {data.path}")
    stack = Stack(settings, data, step=terminal.step, warn=terminal.warn, tls=tls)
    try:
        stack.start()
        terminal.addresses(stack, data)
        if tls:
            terminal.trust(tls)
        if demo:
            demonstration.show(stack, data)
        else:
            terminal.first_steps(settings.data_dir)
        terminal.say("Serving; Ctrl-C stops everything.")
        stack.watch()
    except StopRequested:
        terminal.say("\nStopping …")
        raise
    finally:
        data.remove(DEMO_FILE)
        stack.stop()


if __name__ == "__main__":
    typer.run(up)
