"""`oncall workflow watch`: what happens in a run, live."""

from __future__ import annotations

import typer

from cli.connection import Server, connected
from cli.failure import describe, exit_code
from cli.live import Interrupt, Live
from cli.output import Json
from cli.workflow.follow import RunFollow
from cli.workflow.options import RunId
from cli.workflow.run_printer import (
    INTERRUPTED,
    HumanRunPrinter,
    JsonRunPrinter,
    RunPrinter,
    exit_code_of,
    summary,
)
from oncall.errors import OncallError
from oncall.v1.workflow_pb2 import WORKFLOW_NODE_STATUS_WAITING, WorkflowRun


def watch(run_id: RunId, as_json: Json = False) -> None:
    """Show what happens in a run, live, until it has ended; Ctrl-C leaves it running.

    Each change of a step is a line: when, which step, where it stands now, and what to know of it. What a runbook
    prints is shown by `oncall watch`, as the line says. With --json each change is the whole run on one line. A lost
    connection is made anew.

    \b
      oncall workflow watch 0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e

    \b
    Exit codes:
      0    the run completed
      70   it failed, or its brake stopped it
      124  its time was over
      130  it was cancelled, or Ctrl-C detached this command from it
      1, 2, 3  refused, wrong command line, server unreachable, as for every verb
    """
    with connected() as server:
        raise typer.Exit(watch_run(server, run_id, printer_for(as_json=as_json)))


def printer_for(*, as_json: bool) -> RunPrinter:
    return JsonRunPrinter() if as_json else HumanRunPrinter()


def watch_run(server: Server, run_id: str, printer: RunPrinter) -> int:
    """Shows a run to its end and answers the exit code; leaving harms no run."""
    last = WorkflowRun()
    try:
        with Live(RunFollow(server, run_id, printer.say)) as live:
            for item in live:
                if isinstance(item, Interrupt):
                    return _detached(run_id, printer)
                last = item
                printer.show(last)
    except KeyboardInterrupt:
        return _detached(run_id, printer)
    except OncallError as error:
        printer.say(describe(error, server.address))
        if last.id:
            printer.say(f"the run goes on: {_how_to_go_on(run_id)}")
        return exit_code(error)
    printer.say(summary(last))
    if last.compensation.status == WORKFLOW_NODE_STATUS_WAITING:
        printer.say(f"what it did can be undone: `oncall workflow approve {run_id} --compensation`")
    return exit_code_of(last)


def _detached(run_id: str, printer: RunPrinter) -> int:
    printer.say(f"detached; it goes on: {_how_to_go_on(run_id)}")
    return INTERRUPTED


def _how_to_go_on(run_id: str) -> str:
    return f"`oncall workflow watch {run_id}` shows the rest, `oncall workflow cancel {run_id}` stops it"
