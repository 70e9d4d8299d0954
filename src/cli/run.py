"""`oncall run`: run a runbook, show its output live, end with the exit code of its script."""

from __future__ import annotations

import getpass
import sys
import uuid
from collections.abc import Callable
from typing import Annotated, Any

import typer

from cli.attend import attend, reader
from cli.connection import Server, connected
from cli.event_printer import HumanPrinter, JsonPrinter
from cli.failure import fail
from cli.follow import Follow
from cli.lookup import RunbookName, TeamOption, find_runbook
from cli.output import Json, note, print_json
from cli.parameter_values import ParametersWrong, collect, read_values
from cli.runbook_content import read_text
from cli.visible import visible
from oncall.follow import Progress
from oncall.v1.runbook_pb2 import Runbook, RunbookVersion
from oncall.v1.runbook_service_pb2 import ExecuteRequest, GetRunbookVersionRequest


def run(
    name: RunbookName,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="A value; NAME alone is asked for, without echo."),
    ] = None,
    parameters: Annotated[
        str, typer.Option("--parameters", metavar="FILE", help="Values as a JSON object; - reads standard input.")
    ] = "",
    team: TeamOption = "",
    version: Annotated[int, typer.Option("--version", "-V", min=0, help="An approved version; 0: the current.")] = 0,
    confirm: Annotated[bool, typer.Option("--confirm", help="Confirm, where the runbook asks for it.")] = False,
    incident: Annotated[str, typer.Option(metavar="ID", help="The incident it belongs to.")] = "",
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Print the execution's id and leave.")] = False,
    request_id: Annotated[
        str, typer.Option(help="The same id runs the runbook once, however often it is sent; then it attaches.")
    ] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the script's output and nothing else.")] = False,
    as_json: Json = False,
) -> None:
    """Run a runbook and show its output as it comes.

    The script's stdout goes to stdout and its stderr to stderr, unchanged; on a terminal only colours pass of what
    could control it. Remarks go to stderr. With --json each event is one line on stdout, output bytes in base64; the
    last one has what the script left in $ONCALL_OUTPUT.

    Ctrl-C asks whether to cancel, to detach or to go on; without a terminal, or pressed again, it detaches. The script
    runs on whenever this command leaves, and `oncall watch` shows the rest. A lost connection is made anew.

    A sensitive value does not belong on a command line: give its name alone, or --parameters.

    \b
      oncall run restart-web -p host=web-3 -p force=true
      oncall run rotate-key -p password --confirm
      echo '{"password": "…"}' | oncall run rotate-key --parameters - --confirm
      id=$(oncall run nightly --detach) && oncall watch $id

    \b
    Exit codes:
      the script's, where it ended by itself; 128+n where signal n ended it
      70   it failed without an exit code (its executor was lost, …)
      124  it reached its time limit
      130  it was cancelled, or Ctrl-C detached this command from it
      1, 2, 3  refused, wrong command line, server unreachable, as for every verb
    """
    with connected() as server:
        found = find_runbook(server, name, team)
        request = GetRunbookVersionRequest(runbook_id=found.id, version=version)
        chosen = server.runbooks.GetRunbookVersion(request).version
        asked = not confirm and _confirmed(found, chosen)
        execute = ExecuteRequest(
            runbook_id=found.id,
            version=chosen.version if asked else version,  # what somebody said yes to, and not what came since
            incident_id=incident,
            confirm=confirm or asked,
            request_id=request_id or str(uuid.uuid4()),
        )
        execute.parameters.update(_values(chosen, parameter or [], parameters))
        progress = Progress(execute=execute)
        if detach:
            _start(server, progress, as_json=as_json)
        printer = JsonPrinter(reader(server)) if as_json else HumanPrinter(quiet=quiet)
        raise typer.Exit(attend(server, progress, printer, _ask_on_terminal()))


def _start(server: Server, progress: Progress, *, as_json: bool) -> None:
    """Waits until the server has accepted the execution, tells which it is, and leaves it."""
    follow = Follow(server.runbooks, progress, note)
    event = next(iter(follow))
    follow.stop()
    if as_json:
        print_json(event)
    else:
        print(progress.execution_id)
    raise typer.Exit


def _values(version: RunbookVersion, typed: list[str], file: str) -> dict[str, Any]:
    ask = _ask_without_echo if sys.stdin.isatty() else None
    try:
        values = collect(version.parameters, typed, read_values(read_text(file)) if file else {}, ask)
    except ParametersWrong as error:
        lines = "".join(f"\n  {visible(problem)}" for problem in error.problems)
        fail(f"the parameters are wrong; `oncall runbook show` lists them all:{lines}")
    sensitive = {definition.name for definition in version.parameters if definition.sensitive}
    for name in sorted(sensitive & {text.partition("=")[0] for text in typed if "=" in text}):
        note(f"oncall: {name} is sensitive, and others on this machine can read a command line: give -p {name} alone")
    return values


def _confirmed(runbook: Runbook, version: RunbookVersion) -> bool:
    """Asks where somebody can be asked; elsewhere the server refuses and says so."""
    if not version.requires_confirm or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    question = f"{runbook.name} asks to be confirmed. Run version {version.version} of it now?"
    if not typer.confirm(question, err=True):
        fail("not confirmed; nothing was run", 1)
    return True


def _ask_without_echo(name: str) -> str:
    return getpass.getpass(f"{name}: ")


def _ask_on_terminal() -> Callable[[], str] | None:
    return _ask_what_to_do if sys.stdin.isatty() and sys.stderr.isatty() else None


def _ask_what_to_do() -> str:
    """Answers c, d or nothing; the end of the input means d."""
    sys.stderr.write("\noncall: [c]ancel the script, [d]etach and let it run, or Enter to go on? ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    return answer.strip().lower() if answer else "d"
