"""`oncall executors`: who runs executions, what they carry, and how busy they are."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.connection import connected
from cli.output import Json, enum_name, local_time, print_json, print_table, to_json
from cli.paging import paged
from oncall.v1.executor_pb2 import Executor
from oncall.v1.executor_service_pb2 import ListExecutorsRequest

_COLUMNS = ("HOST", "PID", "STATE", "TAGS", "RUNNING", "VERSION", "ISOLATION", "SEEN")


def executors(
    limit: Annotated[int, typer.Option(min=0, help="How many at most; 0: all of them.")] = 0,
    as_json: Json = False,
) -> None:
    """List who runs executions, by the name of the machine. One that died is LOST, and forgotten after an hour.

    RUNNING is how many executions it runs, of how many at most. ISOLATION names the layers that do not hold there;
    `oncall doctor`, on that machine, says what to do about them.

    \b
      oncall executors
      oncall executors --json | jq -r '.executors[] | select(.tags | index("gpu")) | .host'
    """
    with connected() as server:
        found = list(paged(server.executors.ListExecutors, ListExecutorsRequest(), "executors", limit=limit))
    if as_json:
        print_json({"executors": [to_json(item) for item in found]})
        return
    print_table(_COLUMNS, [_row(item) for item in found], empty="no executors")


def _row(executor: Executor) -> tuple[str, ...]:
    return (
        executor.host,
        str(executor.pid),
        enum_name(executor, "state"),
        ", ".join(executor.tags) or "-",
        f"{executor.running}/{executor.concurrency}",
        executor.version,
        _isolation(executor),
        local_time(executor.seen_at),
    )


def _isolation(executor: Executor) -> str:
    open_layers = [layer.name for layer in executor.isolation if not layer.held]
    return f"not {', '.join(open_layers)}" if open_layers else "all layers"
