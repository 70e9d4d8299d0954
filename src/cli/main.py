"""The `oncall` command: the table of its verbs. Each lives in a module of its own, imported when it is called."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, ClassVar

import typer

from cli.lazy import LazyGroup, Verb


class _Oncall(LazyGroup):
    verbs: ClassVar = {
        "up": Verb("cli.up:up", "Run the whole platform on this machine."),
        "admin": Verb("cli.admin:admin", "Set up users, teams and tokens of an installation."),
        "login": Verb("cli.login:login", "Store the address of a server and your token for it."),
        "whoami": Verb("cli.login:whoami", "Say who you are to the server, and in which teams."),
        "logout": Verb("cli.login:logout", "Forget the stored token."),
        "runbook": Verb("cli.runbook:runbook", "Write, read, review and list runbooks."),
        "incident": Verb("cli.incident.verbs:incident", "Open, tell of, take on and resolve incidents."),
        "workflow": Verb("cli.workflow.verbs:workflow", "Keep what incidents start, and follow and decide its runs."),
        "page": Verb("cli.page.verbs:page", "Keep status pages and what stands on them."),
        "maintenance": Verb("cli.maintenance.verbs:maintenance", "Announce maintenance, and begin and end it."),
        "partner": Verb("cli.partner.verbs:partner", "Give partners access to a status page, and take it away."),
        "channel": Verb("cli.channel.verbs:channel", "Say where a team hears of what happens."),
        "delivery": Verb("cli.delivery.verbs:delivery", "See what became of notifications and webhooks."),
        "secret": Verb("cli.secret:secret", "Put, list and delete the secrets that scripts are given."),
        "run": Verb("cli.run:run", "Run a runbook and show its output as it comes."),
        "watch": Verb("cli.watch:watch", "Show the output of an execution, live or long ended."),
        "cancel": Verb("cli.executions:cancel", "Cancel an execution."),
        "executions": Verb("cli.executions:executions", "List executions, newest first."),
        "execution": Verb("cli.executions:execution", "Show one execution in detail."),
        "executors": Verb("cli.executors:executors", "List who runs executions, by the name of the machine."),
        "doctor": Verb("cli.doctor:doctor", "Say layer by layer what isolation this machine can give to scripts."),
        "audit": Verb("cli.audit:audit", "Read who did or tried what, and verify that nobody changed it."),
    }


app = typer.Typer(
    cls=_Oncall,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"oncall {version('oncall-platform')}")
        raise typer.Exit


@app.callback()
def oncall(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Run reviewed scripts and watch them live.

    \b
      oncall login --server oncall.example:7443
      oncall runbook list
      oncall run restart-web -p host=web-3
      oncall watch 0199c3a1-…

    \b
    Environment:
      ONCALL_SERVER   host:port, instead of the stored address
      ONCALL_TOKEN    token, instead of the stored one
      NO_COLOR        no colours, also on a terminal

    \b
    Exit codes:
      0    done
      1    the server refused it
      2    the command line or the stored credentials are wrong
      3    the server cannot be reached
      run and watch end with the script's exit code: see `oncall run --help`
    """


def main() -> None:
    """The entry point of the `oncall` command."""
    app(prog_name="oncall")


if __name__ == "__main__":
    main()
