"""Two gateways in two equal worlds, one of which may answer at once; everything is asked of both, and told alike."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from gateway.__main__ import _config
from gateway.answers import Answer
from gateway.app import Application, create_app
from gateway.keep.clock import Clock
from gateway.keep.keeper import Keeper
from oncall.v1 import partner_service_pb2 as pb
from oncall.v1.status_page_pb2 import STATUS_PAGE_VISIBILITY_PRIVATE, STATUS_PAGE_VISIBILITY_PUBLIC
from tests.unit.gateway.full_page import a_full_page
from tests.unit.gateway.keep.scripted_server import Known, ScriptedServer, a_keeper
from tests.waiting import eventually

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@dataclass
class StillClock:
    """Clocks that only the test moves, so that two worlds are at the same time."""

    ahead: float = 0.0

    def clock(self) -> Clock:
        return Clock(now=lambda: NOON + timedelta(seconds=self.ahead), elapsed=lambda: 1000.0 + self.ahead)


@dataclass
class FullServer(ScriptedServer):
    """Shows a whole page, to everybody who is somebody or to everybody."""

    public: bool = False

    def _answer(self, request: pb.GetStatusPageRequest, known: Known) -> pb.GetStatusPageResponse:
        answer = super()._answer(request, known)
        if known.partner == "" or self.limit is None:
            answer.ClearField("rate_limit")
        if answer.unchanged:
            return answer
        visibility = STATUS_PAGE_VISIBILITY_PUBLIC if self.public else STATUS_PAGE_VISIBILITY_PRIVATE
        full = a_full_page(visibility=visibility, partner_name=known.partner)
        full.MergeFrom(answer)
        full.audience.partner_id = known.partner
        return full

    async def CreatePageSession(self, request: Any, context: Any) -> pb.CreatePageSessionResponse:  # noqa: N802
        session = pb.CreatePageSessionResponse(session_token="good")
        session.expires_at.FromDatetime(datetime.now(UTC) + timedelta(hours=12))
        return session


class Slowly:
    """An application as any other, that answers nothing at once."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


@dataclass
class World:
    """One gateway and its server; `at_once` counts what was answered before the application was asked."""

    server: FullServer
    keeper: Keeper
    port: int
    counted: list[Answer] = field(default_factory=list)

    @property
    def at_once(self) -> int:
        return len(self.counted)


@dataclass
class Worlds:
    quick: World
    slow: World
    time: StillClock

    @property
    def both(self) -> tuple[World, World]:
        return self.quick, self.slow

    async def change(self, **fields: Any) -> None:
        """Commits a change in both, and returns once both gateways go by it."""
        for world in self.both:
            change = await world.server.change(confirm=True, **fields)
            await world.server.confirmation(change)

    async def recorded(self) -> None:
        """Returns once both servers have been told of all that was counted."""

        async def told_all() -> bool:
            kept = [world.keeper.shelf.accesses for world in self.both]
            return not any(accesses._counted or accesses._batches for accesses in kept)

        await eventually(told_all)

    async def ask(self, *requests: bytes) -> list[bytes]:
        """Answers what both told, in the same words, to each of the requests, over one connection each."""
        quick, slow = [await told(world.port, *requests) for world in self.both]
        assert quick == slow
        return quick


@asynccontextmanager
async def two_worlds(**world: Any) -> AsyncIterator[Worlds]:
    async with AsyncExitStack() as stack:
        time, worlds = StillClock(), []
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for module in ("routes", "warm_pages"):
            patch.setattr(f"gateway.{module}.datetime", SimpleNamespace(now=lambda _: time.clock().now()))
        for quickly in (True, False):
            server = FullServer(clock=time.clock(), lease=10_000.0, **world)
            keeper = await stack.enter_async_context(a_keeper(server))
            app = create_app(keeper, keeper)
            counted: list[Answer] = []
            _count(app, counted)
            port = await stack.enter_async_context(serving(app if quickly else Slowly(app)))
            worlds.append(World(server, keeper, port, counted))
        yield Worlds(*worlds, time)


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[int]:
    """Serves as the gateway's own process would; yields the port."""
    server = uvicorn.Server(_config(app, None))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server._serve([listener]))

        async def started() -> bool:
            return server.started

        await eventually(started)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await asyncio.wait_for(task, 10)


def asking(path: str = "", *, query: str = "", **headers: str) -> bytes:
    """Answers a request for a page or for what stands below it; `_` in names of headers stands for `-`."""
    target = f"/status/acme{path}" + (f"?{query}" if query else "")
    return written(target, {"host": "status.example", **{name.replace("_", "-"): headers[name] for name in headers}})


def written(target: str, headers: Mapping[str, str], version: str = "1.1") -> bytes:
    lines = [f"GET {target} HTTP/{version}", *(f"{name}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


async def told(port: int, *requests: bytes, together: bool = False) -> list[bytes]:
    """Answers what was told to each request, but for the date; `together` sends all before it reads the first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        answers = []
        if together:
            writer.write(b"".join(requests))
        for request in requests:
            if not together:
                writer.write(request)
            answers.append(await asyncio.wait_for(_one(reader), 10))
        return answers
    finally:
        writer.close()


async def _one(reader: asyncio.StreamReader) -> bytes:
    lines = [line for line in (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n") if not line.startswith(b"date: ")]
    length = next((int(line[16:]) for line in lines if line.startswith(b"content-length: ")), 0)
    return b"\r\n".join(lines) + await reader.readexactly(length)


def field_of(answer: bytes, name: str) -> str:
    """Answers a header of it, empty where it has none."""
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    return next((line.partition(": ")[2] for line in head if line.startswith(f"{name}: ")), "")


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def _count(app: Application, counted: list[Answer]) -> None:
    answer_at_once = app.answer_at_once

    def counting(scope: Scope) -> Answer | None:
        answer = answer_at_once(scope)
        if answer is not None:
            counted.append(answer)
        return answer

    app.answer_at_once = counting
