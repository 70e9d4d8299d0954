"""Stays with an execution until it ends, or until the person at the terminal has seen enough."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from cli.connection import Server
from cli.event_printer import INTERRUPTED, EventPrinter, exit_code_of
from cli.failure import REFUSED, describe, exit_code
from cli.follow import Follow
from cli.live import Interrupt, Live
from cli.output import local_time, note
from oncall.errors import OncallError
from oncall.follow import Progress
from oncall.v1.execution_pb2 import Execution
from oncall.v1.runbook_service_pb2 import CancelExecutionRequest, GetExecutionRequest

_OUTPUT_CLOSED = 141  # 128 + SIGPIPE, as a shell reports it
Ask = Callable[[], str]


def attend(server: Server, progress: Progress, printer: EventPrinter, ask: Ask | None = None) -> int:
    """Shows an execution to its end and answers the exit code; the execution itself is never harmed by leaving.

    Ctrl-C asks with `ask` whether to cancel, to detach or to go on; without `ask`, and the second time, it detaches.
    """
    last: Execution | None = None
    follow = Follow(server.runbooks, progress, printer.say)
    try:
        with Live(follow) as live:
            for item in live:
                if isinstance(item, Interrupt):
                    if not _goes_on(server, progress, printer, ask):
                        return _detached(progress, printer)
                    continue
                printer.show(item)
                last = item.execution if item.HasField("execution") else last
        printer.close()
    except KeyboardInterrupt:
        return _detached(progress, printer)
    except BrokenPipeError:
        # Whoever read the output has gone, as `head` does; what is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        printer.say(f"nobody reads the output any more; {_how_to_go_on(progress)}")
        return _OUTPUT_CLOSED
    except OncallError as error:
        printer.close()
        if error.reason == "LOG_EXPIRED":
            return _show_what_is_kept(server, error.metadata.get("execution_id", ""), progress, printer)
        printer.say(describe(error, server.address))
        if progress.execution_id:
            printer.say(_how_to_go_on(progress))
        return exit_code(error)
    return exit_code_of(last or _read(server, progress))


def reader(server: Server) -> Callable[[str], Execution]:
    """Answers what reads one execution of the server."""
    return lambda execution_id: server.runbooks.GetExecution(GetExecutionRequest(execution_id=execution_id)).execution


def _show_what_is_kept(server: Server, execution_id: str, progress: Progress, printer: EventPrinter) -> int:
    """Says that the log is gone, and shows the record instead, where nothing has been shown yet.

    That is not what was asked for: the exit code is never the script's, and the sentence is said also where remarks
    are not wanted, lest somebody take a part for the whole.
    """
    try:
        execution = reader(server)(execution_id)
    except OncallError as error:
        printer.say(describe(error, server.address))
        return exit_code(error)
    gone = f"the log of this execution expired {local_time(execution.log_expired_at)} and is not kept any more"
    if progress.last_sequence:
        note(f"oncall: {gone}: the rest cannot be shown; `oncall execution {execution_id}` shows what is kept")
    else:
        note(f"oncall: {gone}; this is what is kept, the first and last parts of the last attempt's output:")
        printer.show_record(execution)
    return REFUSED


def _read(server: Server, progress: Progress) -> Execution:
    """Answers how an execution ended whose log had nothing more to say."""
    return reader(server)(progress.execution_id)


def _goes_on(server: Server, progress: Progress, printer: EventPrinter, ask: Ask | None) -> bool:
    if ask is None:
        return False
    answer = ask()
    if answer.startswith("d"):
        return False
    if answer.startswith("c"):
        _cancel(server, progress, printer)
    return True


def _cancel(server: Server, progress: Progress, printer: EventPrinter) -> None:
    if not progress.execution_id:
        printer.say("the server has not said yet which execution this is; try again in a moment")
        return
    try:
        server.runbooks.CancelExecution(CancelExecutionRequest(execution_id=progress.execution_id))
        printer.say("asked it to stop; waiting for its end (Ctrl-C, then d, leaves)")
    except OncallError as error:
        printer.say(describe(error, server.address))


def _detached(progress: Progress, printer: EventPrinter) -> int:
    printer.close()
    printer.say(f"detached; {_how_to_go_on(progress)}")
    return INTERRUPTED


def _how_to_go_on(progress: Progress) -> str:
    request = progress.next_request()
    if not progress.execution_id:
        request_id = getattr(request, "request_id", "")
        return f"if the server accepted it, the same command with --request-id {request_id} attaches to it"
    watch = f"oncall watch {progress.execution_id} --after {progress.last_sequence}"
    return f"it runs on: `{watch}` shows the rest, `oncall cancel {progress.execution_id}` stops it"
