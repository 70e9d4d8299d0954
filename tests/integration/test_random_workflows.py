"""Random workflows with random failures, moved on by several at once with rings that are lost, doubled or late.

How each step has to end follows from the graph and from how each would end by itself, whatever the order of things; the
naive walk that says so shares nothing with the engine.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from itertools import combinations
from uuid import UUID

import pytest
from sqlalchemy import select

from kernel.database import create_engine
from kernel.tables import audit_events, executions
from oncall.v1 import workflow_pb2 as pb
from server.operations.advance_run import advance_run
from tests.builders import an_approved_runbook
from tests.integration.workflow_drive import Mortal, a_world
from tests.rpc.conftest import RunningServer
from tests.rpc.scripted_executor import ScriptedExecutor
from tests.workflows import (
    ALWAYS,
    FAILURE,
    FALSE,
    TRUE,
    WorkflowDesk,
    approval,
    condition,
    edge,
    jobs_of,
    runbook,
    status,
    statuses,
)

SUCCESS = pb.WORKFLOW_EDGE_ON_SUCCESS
ALL, ANY = pb.WORKFLOW_JOIN_ALL, pb.WORKFLOW_JOIN_ANY
ACTIVE = {"RUNNING", "WAITING"}


class Graph:
    """A workflow of up to eight steps; `well` says how each ends once it begins, a condition by what it answers."""

    def __init__(self, chance: random.Random, runbook_id: object) -> None:
        names = "abcdefgh"[: chance.randint(3, 8)]
        self.kinds = {name: chance.choice(["runbook", "runbook", "condition", "approval"]) for name in names}
        self.well = {name: chance.random() < 0.7 for name in names}
        self.joins = {name: chance.choice([ALL, ANY]) for name in names}
        self.edges: list[tuple[str, str, int]] = []
        for source, target in combinations(names, 2):
            if chance.random() < 0.45:
                ways = [TRUE, FALSE, ALWAYS] if self.kinds[source] == "condition" else [SUCCESS, FAILURE, ALWAYS]
                self.edges.append((source, target, chance.choice(ways)))
        self._runbook_id = runbook_id

    def nodes(self) -> list[pb.WorkflowNode]:
        make = {
            "runbook": lambda name: runbook(name, self._runbook_id, join=self.joins[name]),
            "condition": lambda name: condition(name, str(self.well[name]).lower(), join=self.joins[name]),
            "approval": lambda name: approval(name, join=self.joins[name]),
        }
        return [make[kind](name) for name, kind in self.kinds.items()]

    def outcome(self) -> tuple[str, dict[str, str]]:
        """Answers how the run and each of its steps have to end, step after step: edges lead to later names alone."""
        ends: dict[str, str] = {}
        for name, kind in self.kinds.items():
            into = [(source, on) for source, target, on in self.edges if target == name]
            taken = [self._leads(ends[source], source, on) for source, on in into]
            begins = not into or (all(taken) if self.joins[name] == ALL else any(taken))
            well = kind == "condition" or self.well[name]
            ends[name] = ("SUCCEEDED" if well else "FAILED") if begins else "SKIPPED"
        handled = {source for source, _, on in self.edges if on in {FAILURE, ALWAYS}}
        failed = any(how == "FAILED" and name not in handled for name, how in ends.items())
        return ("FAILED" if failed else "COMPLETED"), ends

    def _leads(self, how: str, source: str, on: int) -> bool:
        match on:
            case pb.WORKFLOW_EDGE_ON_SUCCESS:
                return how == "SUCCEEDED"
            case pb.WORKFLOW_EDGE_ON_FAILURE:
                return how == "FAILED"
            case pb.WORKFLOW_EDGE_ON_ALWAYS:
                return how != "SKIPPED"
            case _:
                return how == "SUCCEEDED" and self.well[source] == (on == TRUE)


class Walk:
    """Does what the world does to a run, in a random order, and lets it be moved on in random ways."""

    def __init__(self, server: RunningServer, desk: WorkflowDesk, movers: list[Mortal], chance: random.Random) -> None:
        self._server, self._desk, self._movers, self._chance = server, desk, movers, chance
        self._done: set[tuple[str, str]] = set()

    async def go(self, graph: Graph) -> pb.WorkflowRun:
        workflow = await self._desk.creates(graph.nodes(), *(edge(*one) for one in graph.edges))
        run_id = (await self._desk.runs(workflow)).id
        for _ in range(200):
            await self._is_moved(run_id)
            run = await self._desk.run(run_id)
            if status(run) != "RUNNING":
                return run
            await self._happens(graph, run)
        raise AssertionError("it does not end")

    async def _happens(self, graph: Graph, run: pb.WorkflowRun) -> None:
        """Ends the work of some active steps."""
        active = [node for node in run.nodes if statuses(run)[node.name] in ACTIVE]
        going_on = [node for node in active if (run.id, node.name) not in self._done]
        for node in self._chance.sample(going_on, self._chance.randint(0, len(going_on))):
            self._done.add((run.id, node.name))  # though nobody may have looked since
            well = graph.well[node.name]
            if graph.kinds[node.name] == "approval":
                await self._desk.decides(run.id, node.name, approve=well)
            else:
                executor = ScriptedExecutor(self._server, node.execution_id)
                await executor.claim()
                await executor.finish(0 if well else 1)
            if self._chance.random() < 0.5:  # or else its ring is lost, or comes with a later one
                await self._is_moved(run.id)

    async def _is_moved(self, run_id: str) -> None:
        match self._chance.randrange(4):
            case 0:
                return
            case 1:
                async with jobs_of(self._server, hears=False, sweeps=False) as jobs:
                    await jobs.sweep()
            case times:
                rings = [self._chance.choice(self._movers) for _ in range(times)]
                await asyncio.gather(*(advance_run(mortal.mover, UUID(run_id)) for mortal in rings))


@pytest.mark.parametrize("seed", range(6))
async def test_every_step_ends_as_it_has_to_and_is_done_once(database_url: str, redis_url: str, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeats the order, guards nothing
    async with a_world(database_url, redis_url) as (server, desk, engine):
        other = create_engine(database_url, pool_size=2)
        walk = Walk(server, desk, [Mortal(server, engine), Mortal(server, other)], chance)
        made = await an_approved_runbook(server.sessions, desk.team)
        for _ in range(5):
            graph = Graph(chance, made.id)
            run = await walk.go(graph)
            assert (status(run), statuses(run)) == graph.outcome(), (graph.kinds, graph.edges, graph.joins)
            async with server.sessions() as session:
                of_run = executions.c.workflow_run_id == UUID(run.id)
                executed = len((await session.execute(select(executions.c.id).where(of_run))).all())
                rows = await session.execute(select(audit_events).where(audit_events.c.resource_id == run.id))
                steps = Counter((row.action, row.detail.get("step")) for row in rows)
            began = [n for n, kind in graph.kinds.items() if kind == "runbook" and statuses(run)[n] != "SKIPPED"]
            assert executed == len(began)
            assert set(steps.values()) == {1}
            assert {name for action, name in steps if action == "workflow_run.step_ended"} == set(graph.kinds)
        await other.dispose()
