"""`oncall executions`, `execution` and `cancel`: what ran, how it went, and an end to it."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from enum import StrEnum
from typing import Annotated

import typer

from cli.connection import Server, connected
from cli.event_printer import duration, summary
from cli.failure import REFUSED
from cli.lookup import TeamOption, find_runbook, find_team
from cli.output import Json, enum_name, local_time, note, plain, print_details, print_json, print_table, to_json
from cli.paging import paged
from cli.visible import visible_block, visible_json
from cli.watch import ExecutionId
from oncall.errors import OncallError
from oncall.v1.execution_pb2 import EXECUTION_STATUS_CANCELLED, Execution, ExecutionAttempt, ExecutionStatus
from oncall.v1.runbook_service_pb2 import (
    CancelExecutionRequest,
    GetExecutionRequest,
    GetRunbookRequest,
    ListExecutionsRequest,
)

_POLL_SECONDS = 0.3
_ATTEMPT_COLUMNS = ("ATTEMPT", "STATUS", "EXIT", "ERROR", "BEGAN", "ENDED", "STDOUT", "STDERR", "EXECUTOR")


class Status(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"


def executions(
    runbook: Annotated[str, typer.Option("--runbook", "-r", metavar="NAME", help="Only of this runbook.")] = "",
    status: Annotated[Status | None, typer.Option(help="Only in this status.")] = None,
    team: TeamOption = "",
    incident: Annotated[str, typer.Option(metavar="ID", help="Only of this incident.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="How many at most; 0: all of them.")] = 20,
    as_json: Json = False,
) -> None:
    """List executions, newest first.

    \b
      oncall executions --runbook restart-web --status failed
      oncall executions --limit 0 --json | jq -r '.executions[].id'
    """
    with connected() as server:
        request = ListExecutionsRequest(
            runbook_id=find_runbook(server, runbook, team).id if runbook else "",
            team_id=find_team(server, team) if team else "",
            incident_id=incident,
            status=ExecutionStatus.Value(f"EXECUTION_STATUS_{status.name if status else 'UNSPECIFIED'}"),
        )
        found = list(paged(server.runbooks.ListExecutions, request, "executions", limit=limit))
        if as_json:
            print_json({"executions": [to_json(item) for item in found]})
            return
        print_executions(server, found, empty="no executions")


def print_executions(server: Server, found: Collection[Execution], *, empty: str) -> None:
    names = _runbook_names(server, {item.runbook_id for item in found})
    rows = [
        (
            item.id,
            names[item.runbook_id],
            str(item.version),
            enum_name(item, "status"),
            str(item.exit_code) if item.HasField("exit_code") else "",
            local_time(item.created_at),
            duration(item),
        )
        for item in found
    ]
    print_table(("ID", "RUNBOOK", "VERSION", "STATUS", "EXIT", "CREATED", "TOOK"), rows, empty=empty)


def execution(execution_id: ExecutionId, as_json: Json = False) -> None:
    """Show one execution in detail: parameters, times, what isolated it, its attempts, the object that its script left
    in $ONCALL_OUTPUT, and the ends of what it printed.

    \b
      oncall execution 0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e
    """
    with connected() as server:
        found = server.runbooks.GetExecution(GetExecutionRequest(execution_id=execution_id)).execution
        if as_json:
            print_json(found)
            return
        runbook = _runbook_names(server, {found.runbook_id})[found.runbook_id]
    print_details(_details(found, runbook))
    if len(found.attempts) > 1:
        print()
        print_table(_ATTEMPT_COLUMNS, [_attempt_row(attempt) for attempt in found.attempts], empty="")
    if found.HasField("output"):
        lines = json.dumps(to_json(found.output), ensure_ascii=False, indent=2).splitlines()
        print("\noutput:", *map(visible_json, lines), sep="\n")
    for stream, text in (("stdout", found.stdout), ("stderr", found.stderr)):
        if text:
            print(f"\n{stream}:\n{visible_block(text)}")


def cancel(
    execution_id: ExecutionId,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until it has ended; exit code 1 if not cancelled.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Cancel an execution. A running one is CANCELLED once every process of it is gone.

    \b
      oncall cancel 0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e --wait
    """
    with connected() as server:
        found = server.runbooks.CancelExecution(CancelExecutionRequest(execution_id=execution_id)).execution
        while wait and not found.HasField("completed_at"):
            time.sleep(_POLL_SECONDS)
            found = server.runbooks.GetExecution(GetExecutionRequest(execution_id=execution_id)).execution
    if as_json:
        print_json(found)
    elif found.HasField("completed_at"):
        note(summary(found))
    else:
        note("asked it to stop; `oncall cancel --wait` or `oncall watch` shows when it has")
    if wait and found.status != EXECUTION_STATUS_CANCELLED:
        raise typer.Exit(REFUSED)


def _details(found: Execution, runbook: str) -> list[tuple[str, str]]:
    layers = (f"{layer.name}: {layer.mechanism if layer.held else 'not held'}" for layer in found.isolation)
    error = f"{found.error.code}: {found.error.message}" if found.error.code else ""
    return [
        ("id", found.id),
        ("runbook", f"{runbook}, version {found.version}"),
        ("digest", found.digest),
        ("status", enum_name(found, "status")),
        ("exit code", str(found.exit_code) if found.HasField("exit_code") else ""),
        ("error", error),
        ("attempt", f"{found.attempt} of {found.max_attempts}"),
        *((f"  {name}", plain(value)) for name, value in to_json(found.parameters).items()),
        ("started by", found.triggered_by),
        ("incident", found.incident_id),
        ("created", local_time(found.created_at)),
        ("started", local_time(found.started_at)),
        ("ended", local_time(found.completed_at)),
        ("took", duration(found)),
        ("executor", found.executor_id),
        ("isolation", ", ".join(layers)),
        ("stdout", _sealed(found.stdout_size, found.stdout_sha256)),
        ("stderr", _sealed(found.stderr_size, found.stderr_sha256)),
        ("log expired", local_time(found.log_expired_at)),
        ("no output", found.output_error),
        ("truncated", "yes: later bytes are counted, not kept" if found.output_truncated else ""),
    ]


def _attempt_row(attempt: ExecutionAttempt) -> tuple[str, ...]:
    return (
        str(attempt.attempt),
        enum_name(attempt, "status"),
        str(attempt.exit_code) if attempt.HasField("exit_code") else "",
        attempt.error.code,
        local_time(attempt.started_at),
        local_time(attempt.ended_at),
        str(attempt.stdout_size),
        str(attempt.stderr_size),
        attempt.executor_id,
    )


def _sealed(size: int, sha256: str) -> str:
    return f"{size} bytes, SHA-256 {sha256 or 'unknown'}" if size else ""


def _runbook_names(server: Server, ids: set[str]) -> dict[str, str]:
    """Answers the names of runbooks; one that cannot be read keeps its id."""
    names = dict(zip(ids, ids, strict=True))
    for runbook_id in ids:
        try:
            names[runbook_id] = server.runbooks.GetRunbook(GetRunbookRequest(runbook_id=runbook_id)).runbook.name
        except OncallError as error:
            if error.is_transient:
                raise
    return names
