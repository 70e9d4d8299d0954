"""`python -m tests.bench.floods`: what server and executor come to need while scripts flood, all at one time.

Every flood is watched by a client that reads it, from another process than the two that are measured. The short form
runs with the suite (`tests/e2e/test_floods.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import time
from dataclasses import dataclass, field
from typing import Any

import grpc
from rich.console import Console
from rich.table import Table

from oncall.client import Client
from oncall.v1 import execution_pb2 as pb
from oncall.v1.runbook_pb2 import NETWORK_POLICY_HOST, PARAMETER_TYPE_INTEGER, ParameterDefinition
from tests.bench.memory import Watch
from tests.bench.starting_line import StartingLine
from tests.e2e.demo_calls import approve_new
from tests.e2e.launched import Launched
from tests.stack import launched_stack

MIB = 1024 * 1024
LINE = b"0123456789abcdef0123456789abcde\n"
BYTES_PER_MB = 1_000_000
WARM_UP = 4
CAP = 16 * MIB
"""The default of ONCALL_OUTPUT_CAP: so much of a flood reaches its watcher."""
BOUND = 64 * MIB
"""Least growth of the resident memory of either process that is too much."""

SCRIPT = """\
exec 3<>"/dev/tcp/127.0.0.1/$PARAM_PORT"
read -r <&3
yes 0123456789abcdef0123456789abcde | head -c "$((PARAM_MB * 1000000))"
"""


@dataclass(slots=True)
class Floods:
    """What came of it."""

    count: int
    megabytes: int
    seconds: float = 0.0
    before: dict[str, int] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    growth: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.floods", description=__doc__)
    parser.add_argument("--floods", type=int, default=50, help="how many at one time (default: 50)")
    parser.add_argument("--megabytes", type=int, default=100, help="how much each writes (default: 100)")
    arguments = parser.parse_args()
    floods = measure(arguments.floods, arguments.megabytes)
    show(floods)
    return 1 if floods.violations else 0


def measure(count: int, megabytes: int) -> Floods:
    """Runs it on an installation of its own; takes some seconds more than the floods themselves."""
    with launched_stack(ONCALL_EXECUTOR_CONCURRENCY=str(count)) as stack:
        return asyncio.run(_measure(stack, count, megabytes))


async def _measure(stack: Launched, count: int, megabytes: int) -> Floods:
    floods, demo = Floods(count, megabytes), stack.demo()
    with grpc.insecure_channel(demo["server"]) as channel:
        runbook_id = approve_new(
            channel,
            demo,
            script=SCRIPT,
            network=NETWORK_POLICY_HOST,
            timeout_seconds=300,
            parameters=[ParameterDefinition(name=name, type=PARAMETER_TYPE_INTEGER) for name in ("port", "mb")],
        ).runbook.id
    async with Client(demo["server"], token=demo["tokens"]["author"]) as client:
        await _flood(client, runbook_id, WARM_UP, 1)
        with Watch({name: stack.program(name) for name in ("server", "executor")}) as memory:
            began = time.monotonic()
            floods.violations += await _flood(client, runbook_id, count, megabytes)
            floods.seconds = time.monotonic() - began
    floods.before, floods.peak, floods.growth = memory.before, memory.peak, memory.growth
    for name, grown in floods.growth.items():
        if grown >= BOUND:
            floods.violations.append(f"{name} grew by {grown / MIB:.1f} MiB")
    return floods


async def _flood(client: Client, runbook_id: str, count: int, megabytes: int) -> list[str]:
    """Floods from so many scripts at one time, each watched to its end; answers what was not as it must be."""
    async with StartingLine(count) as line:
        parameters = {"port": line.port, "mb": megabytes}
        seen = await asyncio.gather(*(_watch(client, runbook_id, parameters) for _ in range(count)))
        assert line.started.is_set()
    expected = _digest_of(megabytes * BYTES_PER_MB)
    return [violation for last, watched in seen for violation in _judge(last, watched, expected)]


async def _watch(client: Client, runbook_id: str, parameters: dict[str, Any]) -> tuple[pb.Execution, int]:
    """Answers the last state, and how many bytes of output the watcher was given."""
    watched = 0
    last = pb.Execution()
    async for event in client.execute(runbook_id, parameters, confirm=True):
        if event.HasField("output"):
            watched += len(event.output.data)
        elif event.HasField("execution"):
            last = event.execution
    return last, watched


def _judge(last: pb.Execution, watched: int, expected: tuple[int, str]) -> list[str]:
    size, sha256 = expected
    found = (last.status, last.stdout_size, last.stdout_sha256, watched)
    if found == (pb.EXECUTION_STATUS_COMPLETED, size, sha256, min(size, CAP)):
        return []
    return [f"execution {last.id}: status, size, SHA-256 and bytes watched are {found}"]


def _digest_of(size: int) -> tuple[int, str]:
    digest = hashlib.sha256()
    block = LINE * 32768
    for start in range(0, size, len(block)):
        digest.update(block[: size - start])
    return size, digest.hexdigest()


def show(floods: Floods) -> None:
    table = Table(title=f"{floods.count} floods of {floods.megabytes} MB at one time, in {floods.seconds:.0f} s")
    for column in ("resident memory, MiB", "before", "peak", "growth"):
        table.add_column(column, justify="left" if column.startswith("resident") else "right")
    for name, grown in floods.growth.items():
        figures = (floods.before[name], floods.peak[name], grown)
        table.add_row(name, *(f"{figure / MIB:.1f}" for figure in figures))
    console = Console()
    console.print(table)
    for violation in floods.violations:
        console.print(f"[red]{violation}[/red]")


if __name__ == "__main__":
    raise SystemExit(main())
