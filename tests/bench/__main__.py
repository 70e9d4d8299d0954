"""Measures Execute → first output byte on a whole stack, in turns with a bare bash, a bare bubblewrap, a sandbox and
the least that such a stack must do (`tests.bench.floor`).

A turn begins when all sandboxes stand ready again: so it is for somebody who executes something now and then.
"""

from __future__ import annotations

import argparse
import asyncio
from functools import partial

import grpc

from oncall.client import Client
from tests.bench.floor import floor_of, round_trip
from tests.bench.report import Samples, show
from tests.bench.sandboxes import all_stand, first_byte_in, idle_cost, warm_and_cold
from tests.bench.spawn import BASH, BUBBLEWRAP, first_byte
from tests.bench.steps import Steps
from tests.e2e.demo_calls import approve_new
from tests.e2e.launched import Launched
from tests.stack import launched_stack

WARM_UP = 10
PAUSE_SECONDS = 0.05
"""What the executor needs to have its sandboxes standing again."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--samples", type=int, default=200, help="how often each is measured (default: 200)")
    parser.add_argument("--steps", action="store_true", help="print the steps of an Execute, too")
    options = parser.parse_args()
    with launched_stack() as stack:
        asyncio.run(measure(stack, options.samples, steps=options.steps))


async def measure(stack: Launched, count: int, *, steps: bool = False) -> None:
    bash, bubblewrap, execute = Samples("bare bash"), Samples("bare bwrap"), Samples("Execute → first byte")
    cold, warm, floor = Samples("sandbox, cold"), Samples("sandbox, warm"), Samples("floor")
    demo = stack.demo()
    with grpc.insecure_channel(demo["server"]) as channel:
        runbook_id = approve_new(channel, demo, script="echo x").runbook.id
    timed = Steps()
    client_of = Client(demo["server"], token=demo["tokens"]["author"])
    async with client_of as client, warm_and_cold() as (standing, unready), floor_of(stack) as least:
        print(idle_cost(standing))
        turns = (
            (bash, partial(asyncio.to_thread, first_byte, BASH)),
            (bubblewrap, partial(asyncio.to_thread, first_byte, BUBBLEWRAP)),
            (cold, partial(first_byte_in, unready)),
            (warm, partial(first_byte_in, standing)),
            (floor, partial(round_trip, least)),
            (execute, lambda: timed.timed(client.execute(runbook_id))),
        )
        for number in range(WARM_UP + count):
            measured = []
            for sample, measure_once in turns:
                await all_stand(standing)  # setting one up beside it would slow what is measured
                await asyncio.sleep(PAUSE_SECONDS)
                measured.append((sample, await measure_once()))
            if number >= WARM_UP:
                for sample, seconds in measured:
                    sample.seconds.append(seconds)
    left = Samples("floor + warm", [a + b for a, b in zip(floor.seconds, warm.seconds, strict=True)])
    rows = [bash, bubblewrap, left, cold, warm, floor, execute]
    show(rows, "From the call to the first byte of output", compared_with=3)
    if steps:
        show(timed.without(WARM_UP), "Execute, step by step", compared_with=0)


if __name__ == "__main__":
    main()
