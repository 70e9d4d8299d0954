"""`python -m tests.bench.workflows`: what a step of a workflow costs, beside as many bare database transactions.

A whole stack, and so many incidents at once, each of which starts three workflows of five steps: delays of a second
with conditions between them, so that each run is moved on four times. Then, in the same database, bare transactions
that lock a row, change it and commit, as many as there were moves, and as many at one time as `jobs` makes.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import grpc
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select, update

from kernel.database import Sessions, create_engine, sessions, transaction
from kernel.workflow_tables import workflow_runs
from server.jobs.runs import AT_ONCE
from tests.builders import a_team
from tests.e2e.launched import Launched
from tests.stack import launched_stack
from tests.workflows import CREATED, TRUE, WorkflowDesk, condition, delay, edge

WORKFLOWS, STEPS, MOVES = 3, 5, 4
CALLERS = 20
LONGEST_SECONDS = 1_800


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.workflows", description=__doc__)
    parser.add_argument("--incidents", type=int, default=1_000, help="how many at once (default: 1000)")
    options = parser.parse_args()
    with launched_stack() as stack:
        asyncio.run(measure(stack, options.incidents))


async def measure(stack: Launched, incidents: int) -> None:
    engine = create_engine(stack.program("server").environ()["ONCALL_DATABASE_URL"], pool_size=AT_ONCE)
    known = sessions(engine)
    async with grpc.aio.insecure_channel(stack.demo()["server"]) as channel:
        server: Any = SimpleNamespace(channel=channel, sessions=known)
        desk = WorkflowDesk(server, await a_team(known))
        for _ in range(WORKFLOWS):
            await desk.creates(
                [
                    delay("first"),
                    condition("well", "true"),
                    delay("second"),
                    condition("mild", 'incident.severity == "SEV2"'),
                    delay("third"),
                ],
                edge("first", "well"),
                edge("well", "second", TRUE),
                edge("second", "mild"),
                edge("mild", "third", TRUE),
                event=CREATED,
            )
        began = time.monotonic()
        await at_once(CALLERS, incidents, desk.an_incident)
        opened = time.monotonic()
        statuses = await all_ended(known, incidents * WORKFLOWS)
        ended = time.monotonic()
        bare = await bare_transactions(known, incidents * WORKFLOWS * MOVES)
    await engine.dispose()
    show(incidents, statuses, opened - began, ended - began, bare)


async def at_once(callers: int, count: int, work: Callable[[], Awaitable[object]]) -> None:
    """Does something so many times, `callers` at one time."""
    left = iter(range(count))

    async def caller() -> None:
        for _ in left:
            await work()

    await asyncio.gather(*(caller() for _ in range(callers)))


async def all_ended(known: Sessions, wanted: int) -> Counter[str]:
    """Answers how the runs ended, once so many have."""
    async with asyncio.timeout(LONGEST_SECONDS):
        while True:
            async with known() as session:
                counted = select(workflow_runs.c.status, func.count()).group_by(workflow_runs.c.status)
                statuses = Counter({row[0]: row[1] for row in await session.execute(counted)})
            if statuses.total() - statuses["RUNNING"] >= wanted:
                return statuses
            await asyncio.sleep(0.2)


async def bare_transactions(known: Sessions, count: int) -> float:
    """Answers how many seconds so many transactions take that do nothing but lock a row, change it and commit."""
    async with known() as session:
        ids = iter(list((await session.execute(select(workflow_runs.c.id).limit(count))).scalars()) * MOVES)

    async def one() -> None:
        run_id = next(ids)
        async with transaction(known) as tx:
            await tx.session.execute(select(workflow_runs.c.id).where(workflow_runs.c.id == run_id).with_for_update())
            changed = update(workflow_runs).where(workflow_runs.c.id == run_id)
            await tx.session.execute(changed.values(revision=workflow_runs.c.revision + 1))

    began = time.monotonic()
    await at_once(AT_ONCE, count, one)
    return time.monotonic() - began


def show(incidents: int, statuses: Counter[str], opening: float, whole: float, bare: float) -> None:
    runs = incidents * WORKFLOWS
    steps, moves = runs * STEPS, runs * MOVES
    table = Table(title=f"{incidents:,} incidents at once, {runs:,} runs, {steps:,} steps: {dict(statuses)}")
    for column in ("", "seconds", "a second", "ms each"):
        table.add_column(column, justify="left" if not column else "right")
    rows = (
        ("incidents opened", incidents, opening),
        ("steps", steps, whole),
        ("moves (transactions)", moves, whole),
        ("bare transactions", moves, bare),
    )
    for name, count, seconds in rows:
        table.add_row(name, f"{seconds:.1f}", f"{count / seconds:,.0f}", f"{seconds / count * 1e3:.2f}")
    console = Console()
    console.print(table)
    console.print(f"a move takes {whole / bare:.1f} times what a bare transaction does")


if __name__ == "__main__":
    main()
