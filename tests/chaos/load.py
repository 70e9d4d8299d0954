"""The load: clients as they are in real life, patient ones and others, over `oncall.client`, in a thread of their own.

What each client has seen is kept as hashes, event by event, to be compared with the log that is replayed at the end.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import grpc

from oncall.client import Client, OncallError
from oncall.follow import Progress
from oncall.v1.execution_pb2 import ExecutionEvent
from oncall.v1.runbook_service_pb2 import CancelExecutionRequest, ExecuteRequest, ListExecutionsRequest
from tests.chaos.plan import Order
from tests.chaos.scripts import Kind, parameters_of

PATIENCE_SECONDS = 90.0
PROBE_SECONDS = 0.2
CANCEL_AGAIN_SECONDS = 0.3


def mark_of(event: ExecutionEvent) -> bytes:
    """Answers what two events have in common exactly if they are the same."""
    return hashlib.sha256(event.SerializeToString(deterministic=True)).digest()


@dataclass(slots=True)
class Seen:
    """What one client has seen of one execution, from after a sequence."""

    after: int
    marks: list[bytes] = field(default_factory=list)
    to_the_end: bool = False


@dataclass(slots=True)
class Placed:
    """What became of one order, as its clients know it."""

    order: Order
    execution_id: str = ""
    executes: int = 0
    """How often Execute was sent for it."""
    seen: list[Seen] = field(default_factory=list)
    cancelled: bool = False
    """Whether somebody was told that it will be cancelled."""


class _CountingClient(Client):
    """Counts how often each request id is sent."""

    def __init__(self, address: str, token: str, patience: float, placed: Mapping[str, Placed]) -> None:
        super().__init__(address, token=token, patience=patience)
        self._placed = placed

    def _open(self, progress: Progress) -> object:
        request = progress.next_request()
        if isinstance(request, ExecuteRequest):
            self._placed[request.request_id].executes += 1
        return super()._open(progress)


class Load:
    """Places orders one after the other, each when `allow` lets it, and follows them; `start`, then `join`."""

    def __init__(
        self,
        address: str,
        token: str,
        runbooks: Mapping[tuple[Kind, int], str],
        orders: Sequence[Order],
        *,
        port: int,
        callers: int,
        team_id: str,
    ) -> None:
        self._address, self._token, self._runbooks, self._port = address, token, runbooks, port
        self._callers, self._team_id = callers, team_id
        self.placed = {order.request_id: Placed(order) for order in orders}
        self.asked = 0
        """How many orders have been placed so far."""
        self.allowed = 0
        """How many orders may be placed by now; raised by whoever strikes in between."""
        self.refusals: list[str] = []
        """Answers that no client should ever get, whatever is down."""
        self.unavailable = 0
        """How often a call that is not repeated was told to try again."""
        self._thread = threading.Thread(target=self._run_in_thread, name="load", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def _run_in_thread(self) -> None:
        try:
            asyncio.run(self._run())
        except* Exception as broken:  # noqa: BLE001 - whatever it is must be in the verdict, not on a thread's stderr
            self.refusals.append(f"the load broke: {broken.exceptions[0]!r}")

    async def _run(self) -> None:
        waiting: asyncio.Queue[Placed] = asyncio.Queue()
        for placed in self.placed.values():
            waiting.put_nowait(placed)
        patient = _CountingClient(self._address, self._token, PATIENCE_SECONDS, self.placed)
        hasty = _CountingClient(self._address, self._token, 0.0, self.placed)
        async with patient, hasty:
            probing = asyncio.create_task(self._probe())
            turns = count(1)
            async with asyncio.TaskGroup() as callers:
                for _ in range(self._callers):
                    callers.create_task(self._call(patient, hasty, waiting, turns))
            probing.cancel()
            await asyncio.wait([probing])

    async def _call(self, patient: Client, hasty: Client, waiting: asyncio.Queue[Placed], turns: count[int]) -> None:
        while not waiting.empty():
            placed = waiting.get_nowait()
            turn = next(turns)
            while turn > self.allowed:  # noqa: ASYNC110 - another thread raises it
                await asyncio.sleep(0.02)
            self.asked += 1
            async with asyncio.TaskGroup() as besides:
                await self._place(hasty if placed.order.impatient else patient, patient, placed, besides)

    async def _place(self, client: Client, patient: Client, placed: Placed, besides: asyncio.TaskGroup) -> None:
        order = placed.order
        events = client.execute(
            self._runbooks[order.kind, order.max_retries],
            parameters_of(order, self._port),
            request_id=order.request_id,
        )
        seen = Seen(0)
        placed.seen.append(seen)

        def accepted(event: ExecutionEvent) -> None:
            placed.execution_id = event.execution.id
            if order.cancel_after is not None:
                besides.create_task(self._cancel(patient, placed, order.cancel_after))
            if order.joined_after is not None:
                joined = Seen(order.joined_after)
                placed.seen.append(joined)
                besides.create_task(self._watch(patient, event.execution.id, joined))

        await self._follow(events, seen, accepted=accepted, leaves_after=order.leaves_after, hasty=order.impatient)

    async def _watch(self, client: Client, execution_id: str, seen: Seen) -> None:
        await self._follow(client.watch(execution_id, seen.after), seen)

    async def _follow(
        self,
        events: AsyncIterator[ExecutionEvent],
        seen: Seen,
        *,
        accepted: object = None,
        leaves_after: int | None = None,
        hasty: bool = False,
    ) -> None:
        try:
            async for event in events:
                if not seen.marks and callable(accepted):
                    accepted(event)
                seen.marks.append(mark_of(event))
                if leaves_after is not None and len(seen.marks) >= leaves_after:
                    return
            seen.to_the_end = True
        except OncallError as error:
            if not error.is_transient:
                self.refusals.append(f"a log was answered with {error!s}")
            elif not hasty:
                self.refusals.append(f"a log was not to be had for {PATIENCE_SECONDS:.0f} s: {error!s}")

    async def _cancel(self, client: Client, placed: Placed, after: float) -> None:
        """Asks until it is answered; that the execution has ended before is an answer, too."""
        await asyncio.sleep(after)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                await client.runbooks.CancelExecution(CancelExecutionRequest(execution_id=placed.execution_id))
            except OncallError as error:
                if error.is_transient and time.monotonic() < deadline:
                    await asyncio.sleep(CANCEL_AGAIN_SECONDS)
                    continue
                if error.code is not grpc.StatusCode.FAILED_PRECONDITION:
                    self.refusals.append(f"CancelExecution was answered with {error!s}")
            else:
                placed.cancelled = True
            return

    async def _probe(self) -> None:
        """Reads all the time, and repeats nothing: what it is told is an answer, or that it should try again."""
        async with Client(self._address, token=self._token, retry_for=0.0) as client:
            while True:
                try:
                    await client.runbooks.ListExecutions(
                        ListExecutionsRequest(team_id=self._team_id, page_size=5), timeout=20
                    )
                except OncallError as error:
                    self.unavailable += 1
                    if not error.is_transient:
                        self.refusals.append(f"ListExecutions was answered with {error!s}")
                await asyncio.sleep(PROBE_SECONDS)
