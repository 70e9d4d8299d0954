"""A gateway in this process, its own application over its own keep, HTTP and gRPC over sockets; and how it is asked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from gateway.__main__ import _config
from gateway.app import create_app
from gateway.edge.event_stream import Streams
from gateway.keep.calls import PartnerCalls
from gateway.keep.disk import Disk
from gateway.keep.keeper import Keeper, keeping
from gateway.server_client import connect
from oncall.v1 import partner_service_pb2 as pb
from tests.leaks.callers import Presentation
from tests.leaks.world import HERE, THERE
from tests.waiting import eventually

EVENT_STREAM = "text/event-stream"
_LIMITS = httpx.Limits(max_keepalive_connections=0)
"""Each request over a connection of its own: one that is kept may be closed under it, on a machine that stood still."""


class CountedCalls(PartnerCalls):
    """The calls of the server, each noted by its name before it is made."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.made: list[str] = []

    async def show(self, request: pb.GetStatusPageRequest, *arguments: Any) -> pb.GetStatusPageResponse:
        self.made.append("GetStatusPage")
        return await super().show(request, *arguments)

    async def create_session(self, request: pb.CreatePageSessionRequest) -> pb.CreatePageSessionResponse:
        self.made.append("CreatePageSession")
        return await super().create_session(request)

    async def list_access(self, request: pb.ListPartnerAccessRequest) -> pb.ListPartnerAccessResponse:
        self.made.append("ListPartnerAccess")
        return await super().list_access(request)


@dataclass(frozen=True, slots=True)
class Answer:
    """All that a client hears, but for the time of day; of an event stream what comes until the first event."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key == name)

    @property
    def text(self) -> str:
        heads = "".join(f"{name}: {value}\r\n" for name, value in self.headers)
        return f"{self.status}\r\n{heads}\r\n{self.body.decode(errors='replace')}"


@dataclass(frozen=True, slots=True)
class Gateway:
    """`clients` by the address that they come from."""

    app: Starlette
    keeper: Keeper
    calls: CountedCalls
    clients: dict[str, httpx.AsyncClient] = field(repr=False)

    async def ask(
        self,
        method: str,
        path: str,
        presented: Presentation | None = None,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        address: str = HERE,
    ) -> Answer:
        presented = presented or Presentation()
        sent = presented.headers | (headers or {})
        url = f"{path}?{presented.query}" if presented.query else path
        async with self.clients[address].stream(method, url, headers=sent, content=body) as answer:
            found = tuple((name, value) for name, value in answer.headers.multi_items() if name != "date")
            if answer.headers.get("content-type", "").startswith(EVENT_STREAM) and method != "HEAD":
                return Answer(answer.status_code, found, await _first_event(answer))
            return Answer(answer.status_code, found, await answer.aread())


async def _first_event(answer: httpx.Response) -> bytes:
    heard = b""
    async for chunk in answer.aiter_raw():
        heard += chunk
        if b"event: " in heard and heard.endswith(b"\n\n"):
            break
    return heard


@asynccontextmanager
async def a_gateway(
    server_address: str,
    token: str,
    folder: Path,
    *,
    around: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    away: bool = False,
) -> AsyncIterator[Gateway]:
    """Serves as the gateway's own process would, with its pages in `folder`; `around` is put around its application.

    It answers from what it keeps from the beginning, unless the server is `away`.
    """
    streams = Streams(most_per_client=10_000)
    async with connect(server_address) as channel, AsyncExitStack() as stack:
        calls = CountedCalls(channel, token)
        keeper = await stack.enter_async_context(keeping(calls, Disk(folder), 0.0))
        app = create_app(keeper, keeper, streams=streams)
        listener = stack.enter_context(socket.create_server((HERE, 0)))
        port = listener.getsockname()[1]
        await stack.enter_async_context(_serving(around(app), listener, streams))
        clients = {address: await stack.enter_async_context(_client(port, address)) for address in (HERE, THERE)}

        async def watches() -> bool:
            return away or keeper.state().watching

        await eventually(watches, within=30)
        yield Gateway(app, keeper, calls, clients)


@asynccontextmanager
async def _serving(app: ASGIApp, listener: socket.socket, streams: Streams) -> AsyncIterator[None]:
    server = uvicorn.Server(_config(app, None))
    serving = asyncio.create_task(server._serve([listener]))

    async def started() -> bool:
        return server.started

    await eventually(started)
    try:
        yield
    finally:
        streams.close()
        server.should_exit = True
        await asyncio.wait_for(serving, 20)


def _client(port: int, address: str) -> httpx.AsyncClient:
    """Answers a client that keeps no cookie and comes from that address."""
    return httpx.AsyncClient(
        base_url=f"http://{HERE}:{port}",
        transport=httpx.AsyncHTTPTransport(local_address=address, limits=_LIMITS),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        timeout=60,
        trust_env=False,
    )
