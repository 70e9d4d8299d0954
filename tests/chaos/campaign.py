"""One run from its beginning to its verdict."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from kernel.database import create_engine, sessions
from kernel.tables import executions, request_ids
from oncall.client import Client
from oncall.v1.execution_pb2 import ExecutionEvent, ExecutionStatus
from tests.builders import TeamWithPeople, a_team, an_approved_runbook
from tests.chaos.fleet import Fleet, a_fleet
from tests.chaos.leftovers import left_by
from tests.chaos.load import Load, Placed
from tests.chaos.marks import Marks
from tests.chaos.plan import Size, Strike, orders, strikes
from tests.chaos.scripts import Kind, content_of
from tests.chaos.verdict import Judged, judge

POLL_SECONDS = 0.05
UP_SECONDS = 60.0
LEFT_SECONDS = 5.0
READERS = 8
FAULTS = ("internal_error", "attempt_broken", "Traceback (most recent call last)", "was never retrieved")
"""What no process may have in its log, whatever goes away."""

Logs = list[tuple[str, tuple[Placed, list[ExecutionEvent]]]]
"""Every execution there is, the order that made it, and its log."""


@dataclass(slots=True)
class Outcome:
    """What came of a run."""

    seed: int
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)
    asked: int = 0
    accepted: int = 0
    unacknowledged: int = 0
    """Executions that exist and whose client was gone before it learned of them."""
    never_made: int = 0
    repeated: int = 0
    """How often clients tried Execute again because its answer did not come."""
    unavailable: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    lost_attempts: int = 0
    marks: int = 0
    events: int = 0
    verified_bytes: int = 0
    logs_compared: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    freezes: int = 0
    refused_starts: int = 0


def run(size: Size, seed: int, say: Callable[[str], None], keep_logs: Path | None = None) -> Outcome:
    """Runs it all; call it from the main thread."""
    dice = random.Random(seed)  # noqa: S311 - to come again, not to be secret
    outcome = Outcome(seed, asked=size.executions)
    began = time.monotonic()
    with Marks() as marks, a_fleet(size.lease_seconds, keep_logs) as fleet:
        say("everything runs")
        token, team_id, runbooks = asyncio.run(_furnish(fleet.database_url, size))
        load = Load(
            fleet.address,
            token,
            runbooks,
            orders(size, dice),
            port=marks.port,
            callers=size.callers,
            team_id=team_id,
        )
        load.start()
        _strike(fleet, load, strikes(size, dice), size, outcome, say)
        _settle(fleet, load, size, outcome, say)
        say("reading every log again")
        logs = asyncio.run(_read(fleet, token, load))
        outcome.violations += [*load.refusals, *fleet.broken, *fleet.stop_programs(), *_faults(fleet)]
        outcome.violations += _left(fleet, [execution_id for execution_id, _ in logs])
    _judge(logs, load.placed.values(), marks.counted(), outcome)
    outcome.repeated = sum(max(0, placed.executes - 1) for placed in load.placed.values())
    outcome.unavailable, outcome.kills = load.unavailable, fleet.kills
    outcome.refused_starts = fleet.refused.total()
    outcome.accepted = sum(bool(placed.execution_id) for placed in load.placed.values())
    outcome.unacknowledged = len(logs) - outcome.accepted
    outcome.never_made = outcome.asked - len(logs)
    outcome.seconds = time.monotonic() - began
    return outcome


async def _furnish(database_url: str, size: Size) -> tuple[str, str, dict[tuple[Kind, int], str]]:
    """Makes a team and a runbook for every kind of order; answers a responder's token, the team and the runbooks."""
    engine = create_engine(database_url)
    make_session = sessions(engine)
    team: TeamWithPeople = await a_team(make_session)
    runbooks = {}
    for kind in Kind:
        for retries in range(4):
            runbook = await an_approved_runbook(make_session, team, content_of(kind, retries))
            runbooks[kind, retries] = str(runbook.id)
    await engine.dispose()
    return team.responder.token, str(team.id), runbooks


def _strike(
    fleet: Fleet, load: Load, blows: Sequence[Strike], size: Size, outcome: Outcome, say: Callable[[str], None]
) -> None:
    """Strikes when so much of the load is under way, and lets the load go on only that far."""
    frozen: list[tuple[float, str, int]] = []

    def tend() -> None:
        fleet.tend()
        for thaw in [thaw for thaw in frozen if time.monotonic() >= thaw[0]]:
            frozen.remove(thaw)
            fleet.thaw(thaw[1], thaw[2])
        time.sleep(POLL_SECONDS)

    for number, blow in enumerate(blows, 1):
        load.allowed = wanted = max(1, round(size.executions * blow.at))
        deadline = time.monotonic() + size.settle_seconds
        while load.asked < wanted and not load.done and time.monotonic() < deadline:
            tend()
        until = time.monotonic() + blow.delay
        while time.monotonic() < until or not all(fleet.runs(name) for name in blow.victims):
            tend()
        for name in blow.victims:
            if blow.freezes:
                frozen.append((time.monotonic() + blow.pause, name, fleet.freeze(name)))
                outcome.freezes += 1
            else:
                fleet.kill(name, pause=blow.pause)
        what = "froze" if blow.freezes else "killed"
        say(f"{number:3} of {len(blows)}: {what} {', '.join(blow.victims)} after {load.asked} executions")
    load.allowed = size.executions
    while frozen:
        tend()


def _settle(fleet: Fleet, load: Load, size: Size, outcome: Outcome, say: Callable[[str], None]) -> None:
    """Waits until all run again, every client has gone home, and every execution has ended."""
    deadline = time.monotonic() + size.settle_seconds
    unended = 0
    while time.monotonic() < deadline:
        fleet.tend()
        if fleet.all_run() and load.done:
            unended = asyncio.run(_unended(fleet.database_url))
            if not unended:
                say("every execution has ended")
                return
        time.sleep(4 * POLL_SECONDS)
    outcome.violations.append(
        f"{size.settle_seconds:.0f} s after the last strike {unended} executions have not ended"
        + ("" if load.done else " and clients still wait")
    )


async def _unended(database_url: str) -> int:
    engine = create_engine(database_url)
    async with engine.connect() as connection:
        statuses = (await connection.execute(select(executions.c.status))).scalars().all()
    await engine.dispose()
    return sum(status in {"PENDING", "RUNNING"} for status in statuses)


async def _read(fleet: Fleet, token: str, load: Load) -> Logs:
    """Replays the log of every execution there is, those among them whose clients never learned of them."""
    engine = create_engine(fleet.database_url)
    async with engine.connect() as connection:
        ids = (await connection.execute(select(executions.c.id))).scalars().all()
        keys = (await connection.execute(select(request_ids.c.request_id, request_ids.c.resource))).all()
    await engine.dispose()
    made = {key.resource["execution_id"]: key.request_id for key in keys if "execution_id" in key.resource}
    readers = asyncio.Semaphore(READERS)
    async with Client(fleet.address, token=token, patience=UP_SECONDS) as client:

        async def read(execution_id: str) -> list[ExecutionEvent]:
            async with readers, asyncio.timeout(UP_SECONDS):
                return [event async for event in client.watch(execution_id)]

        logs = await asyncio.gather(*(read(str(execution_id)) for execution_id in ids))
    return [(str(id_), (load.placed[made[str(id_)]], log)) for id_, log in zip(ids, logs, strict=True)]


def _judge(logs: Logs, placed_orders: Collection[Placed], marks: Counter[tuple[str, int]], outcome: Outcome) -> None:
    outcome.violations += _of_the_whole(logs, placed_orders, marks)
    for execution_id, (placed, log) in logs:
        judged = judge(placed, log, marks)
        outcome.violations += [f"execution {execution_id} ({placed.order.kind.name}): {v}" for v in judged.violations]
        _count(outcome, placed, log, judged)
    outcome.marks = marks.total()


def _of_the_whole(logs: Logs, placed_orders: Collection[Placed], marks: Mapping[tuple[str, int], int]) -> Iterator[str]:
    ids = {execution_id for execution_id, _ in logs}
    by_request = Counter(placed.order.request_id for _, (placed, _) in logs)
    for request_id, times in by_request.items():
        if times > 1:
            yield f"request {request_id} made {times} executions"
    for placed in placed_orders:
        if placed.execution_id and placed.execution_id not in ids:
            yield f"execution {placed.execution_id} was accepted and does not exist"
    for execution_id in {execution_id for execution_id, _ in marks} - ids:
        yield f"a script left a mark for execution {execution_id}, which does not exist"


def _count(outcome: Outcome, placed: Placed, log: Sequence[ExecutionEvent], judged: Judged) -> None:
    outcome.by_status[ExecutionStatus.Name(judged.status).removeprefix("EXECUTION_STATUS_")] += 1
    outcome.attempts += len(judged.attempts)
    outcome.lost_attempts += judged.lost_attempts
    outcome.verified_bytes += judged.verified_bytes
    outcome.events += len(log)
    outcome.logs_compared += len(placed.seen)


def _faults(fleet: Fleet) -> Iterator[str]:
    for path in sorted(Path(fleet.folder / "logs").iterdir()):
        for line in path.read_text(errors="replace").splitlines():
            if any(fault in line for fault in FAULTS):
                yield f"{path.stem} logged: {line[:1500]}"


def _left(fleet: Fleet, execution_ids: Sequence[str]) -> list[str]:
    """Answers what is left once what was killed has had a moment to be gone."""
    deadline = time.monotonic() + LEFT_SECONDS
    while (left := list(left_by(fleet, execution_ids))) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return [f"left on the machine: {what}" for what in left]
