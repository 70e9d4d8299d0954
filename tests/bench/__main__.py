"""Measures Execute → first output byte on a whole stack, in turns with a bare bash and a bare bubblewrap."""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

import grpc

from oncall.client import Client
from tests.bench.report import Samples, show
from tests.bench.spawn import BASH, BUBBLEWRAP, first_byte
from tests.e2e.demo_calls import approve_new
from tests.stack import running_stack

WARM_UP = 10


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--samples", type=int, default=200, help="how often each is measured (default: 200)")
    samples = parser.parse_args().samples
    with running_stack() as demo:
        asyncio.run(measure(demo, samples))


async def measure(demo: dict[str, Any], count: int) -> None:
    bash, bubblewrap, execute = Samples("bare bash"), Samples("bare bubblewrap"), Samples("Execute → first byte")
    with grpc.insecure_channel(demo["server"]) as channel:
        runbook_id = approve_new(channel, demo, script="echo x").runbook.id
    async with Client(demo["server"], token=demo["tokens"]["author"]) as client:
        for number in range(WARM_UP + count):
            measured = (
                (bash, await asyncio.to_thread(first_byte, BASH)),
                (bubblewrap, await asyncio.to_thread(first_byte, BUBBLEWRAP)),
                (execute, await first_output(client, runbook_id)),
            )
            if number >= WARM_UP:
                for sample, seconds in measured:
                    sample.seconds.append(seconds)
    show([bash, bubblewrap, execute], "From the call to the first byte of output")


async def first_output(client: Client, runbook_id: str) -> float:
    """Answers the seconds to the first byte; the execution is then followed to its end, so that none overlap."""
    began, first = time.perf_counter(), 0.0
    async for event in client.execute(runbook_id):
        if event.HasField("output") and not first:
            first = time.perf_counter() - began
    return first


if __name__ == "__main__":
    main()
