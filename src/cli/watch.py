"""`oncall watch`: show what an execution has said and says."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.attend import attend, reader
from cli.connection import connected
from cli.event_printer import HumanPrinter, JsonPrinter
from cli.output import Json
from oncall.follow import Progress

ExecutionId = Annotated[str, typer.Argument(metavar="ID", help="Id of an execution, see `oncall executions`.")]


def watch(
    execution_id: ExecutionId,
    after: Annotated[int, typer.Option(min=0, help="Show only what follows the event of this number.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the script's output and nothing else.")] = False,
    as_json: Json = False,
) -> None:
    """Show the output of an execution, live or long ended; Ctrl-C leaves it running.

    Output and exit codes are as for `oncall run`.

    \b
      oncall watch 0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e
      oncall watch 0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e --quiet > log.txt
    """
    with connected() as server:
        printer = JsonPrinter(reader(server)) if as_json else HumanPrinter(quiet=quiet)
        raise typer.Exit(attend(server, Progress(execution_id=execution_id, after_sequence=after), printer))
