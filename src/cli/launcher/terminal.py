"""What `oncall up` tells whoever started it: plain lines, with colours only where a terminal shows them."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from cli.launcher.data_folder import DataFolder
from cli.launcher.local_tls import LocalTls
from cli.launcher.stack import Stack
from cli.own_command import own_command


class _Console(Console):
    """One that goes on without its reader: that `oncall up | head` has seen enough is no reason to stop serving."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Terminal:
    """Lines of progress, and what to do next."""

    def __init__(self) -> None:
        self._console = _Console(highlight=False, soft_wrap=True, emoji=False)

    def step(self, text: str) -> None:
        self._print(f"[green]✓[/green] {_plain(text)}")

    def warn(self, text: str) -> None:
        self._print(f"[yellow]![/yellow] {_plain(text)}")

    def say(self, text: str = "") -> None:
        self._print(_plain(text))

    def addresses(self, stack: Stack, data: DataFolder) -> None:
        self.say()
        self._print(f"  server   [bold]{_plain(stack.server_address)}[/bold] (gRPC)")
        self._print(f"  gateway  [bold]{_plain(stack.gateway_url)}[/bold]")
        self._print(f"  data     {_plain(str(data.path))}")
        self.say()

    def trust(self, tls: LocalTls) -> None:
        """Says whom to trust, and how, for what listens to be believed."""
        file = str(tls.ca_file)
        self.say("Both speak TLS, with certificates that an authority of this installation signed. Trust it:")
        self.say(f"  curl --cacert {file} …; {own_command()} login --ca-file {file}; or import it into a browser")
        self.say(f"Of all names it can vouch for {tls.names} only, besides addresses.")
        if tls.authority_replaced:
            self.warn("It is a new one: whoever trusted the earlier one of this folder has to trust this one now.")
        self.say()

    def first_steps(self, data_folder: Path | None) -> None:
        """Says how an empty installation gets its first administrator."""
        setting = f"ONCALL_DATA_DIR={data_folder} " if data_folder else ""
        self.say("This installation is empty. Create its first administrator in another terminal:")
        self._print(
            f"  [bold]{_plain(setting + own_command())} admin create --email you@example.com --name 'Your Name'[/bold]"
        )

    def _print(self, markup: str) -> None:
        with suppress(OSError):  # the terminal was closed
            self._console.print(markup)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
