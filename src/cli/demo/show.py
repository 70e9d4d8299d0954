"""Executes one runbook and shows its output in the terminal, each line when the script has printed it."""

from __future__ import annotations

import time

from cli.escape_filter import EscapeFilter
from oncall.client import Client
from oncall.v1.execution_pb2 import EXECUTION_STATUS_COMPLETED, Execution, ExecutionStatus


async def show_run(client: Client, runbook_id: str, name: str) -> None:
    """Runs it to its end; that it failed is shown, not raised."""
    print(f"Running {name} in a sandbox; its output as it comes:", flush=True)
    began = time.monotonic()
    shown = EscapeFilter()
    line = b""
    last = Execution()
    async for event in client.execute(runbook_id):
        if event.HasField("execution"):
            last = event.execution
        elif event.HasField("output"):
            line = _print_lines(line + shown.feed(event.output.data))
    _print_lines(line + shown.close() + b"\n" if line else b"")
    seconds = time.monotonic() - began
    if last.status == EXECUTION_STATUS_COMPLETED:
        print(f"  ✓ completed after {seconds:.1f} s", flush=True)
    else:
        status = ExecutionStatus.Name(last.status).removeprefix("EXECUTION_STATUS_")
        print(f"  ! {status}: {last.error.message or f'exit code {last.exit_code}'}", flush=True)


def _print_lines(text: bytes) -> bytes:
    """Prints the whole lines and answers the rest, which waits for its end."""
    *lines, rest = text.split(b"\n")
    for line in lines:
        print("  │ " + line.decode(), flush=True)
    return rest
