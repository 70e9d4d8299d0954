"""The edge over real HTTP, with a keep that does as tests say."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import uvicorn

from gateway import refusal
from gateway.__main__ import _config
from gateway.app import create_app
from gateway.asked import Asked, Client, CredentialKind
from gateway.edge.client_address import Proxies
from gateway.edge.event_stream import Streams
from gateway.edge.http_connection import LimitedConnection
from gateway.edge.http_server import HttpServer
from gateway.edge.keeper import KeepState
from gateway.edge.tls import Pair
from gateway.refusal import Refusal
from gateway.shown import RateLimitLeft, Shown
from oncall.v1.partner_service_pb2 import CreatePageSessionResponse, GetStatusPageResponse, ListPartnerAccessResponse
from oncall.v1.status_page_pb2 import STATUS_PAGE_VISIBILITY_PRIVATE, STATUS_PAGE_VISIBILITY_PUBLIC
from tests.unit.gateway.pages import an_answer
from tests.waiting import eventually

TOKEN = "ocp_right"
SESSION = "ocs_right"
COOKIE = {"cookie": f"oncall-session={SESSION}"}
SUMMARY = "/status/acme/api/v2/summary.json"
BEARER = {"authorization": f"Bearer {TOKEN}"}
HTML = {"accept": "text/html"}
JSON = {"accept": "application/json"}


@dataclass(slots=True)
class ScriptedKeep:
    """One page, `acme`, with one partner; `refused` is what they hear instead."""

    public: bool = False
    tag: str = "tag-1"
    stale_since: datetime | None = None
    rate_limit: RateLimitLeft | None = None
    refused: Refusal | None = None
    session_ended: bool = False
    broken: bool = False
    logo_url: str = ""
    asked: list[Asked] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    together: asyncio.Barrier | None = None
    """Of those who are shown the page: nobody is before all of them have asked."""

    async def show(self, asked: Asked) -> Shown:
        self.asked.append(asked)
        if self.together:
            await self.together.wait()
        if self.broken:
            raise RuntimeError("a mistake of ours")
        content = self._admit(asked)
        content.status_page.logo_url = self.logo_url
        return Shown(content, self.tag, self.stale_since, self.rate_limit)

    def client(self, asked: Asked) -> Client:
        return Client(b"", b"")

    def show_at_once(self, client: Client) -> None:
        """Every request is to be asked for."""

    async def changes(self, asked: Asked, after_tag: str) -> AsyncIterator[Shown]:
        while True:
            content = self._admit(asked)
            if self.tag != after_tag:
                after_tag = self.tag
                yield Shown(content, self.tag)
            self.changed.clear()
            await self.changed.wait()

    async def start_session(self, slug: str, token: str, client_ip: str, user_agent: str) -> CreatePageSessionResponse:
        if token != TOKEN:
            raise refusal.unknown_token()
        session = CreatePageSessionResponse(session_token=SESSION)
        session.expires_at.FromDatetime(datetime.now(UTC) + timedelta(hours=12))
        return session

    async def end_session(self, asked: Asked) -> None:
        self.session_ended = asked.credential.value == SESSION

    async def access_report(self, asked: Asked, page_size: int, page_token: str) -> ListPartnerAccessResponse:
        self._admit(asked)
        found = ListPartnerAccessResponse(next_page_token="more")
        found.accesses.add(date="2026-01-31", token_prefix="ocp_ri", client_ip="192.0.2.1", access_count=page_size)
        return found

    async def is_ready(self) -> bool:
        return True

    def state(self) -> KeepState:
        return KeepState(pages=3, watching=True)

    def _admit(self, asked: Asked) -> GetStatusPageResponse:
        visibility = STATUS_PAGE_VISIBILITY_PUBLIC if self.public else STATUS_PAGE_VISIBILITY_PRIVATE
        kind, value = asked.credential.kind, asked.credential.value
        if kind is CredentialKind.NONE:
            if self.public and asked.slug == "acme":
                return an_answer(visibility=visibility, partner_name="")
            raise refusal.missing_token()
        if value != (SESSION if kind is CredentialKind.SESSION else TOKEN) or (
            kind is CredentialKind.SESSION and self.session_ended
        ):
            raise refusal.unknown_token()
        if asked.slug != "acme":
            raise refusal.unknown_page()
        if self.refused:
            raise self.refused
        return an_answer(visibility=visibility)


@dataclass(frozen=True, slots=True)
class Edge:
    keep: ScriptedKeep
    streams: Streams
    http: httpx.AsyncClient
    port: int
    server: uvicorn.Server


@asynccontextmanager
async def an_edge(
    pair: Pair | None = None,
    *,
    public_url: str = "",
    proxies: Proxies | None = None,
    streams: Streams | None = None,
    http: type[LimitedConnection] | None = None,
) -> AsyncIterator[Edge]:
    """Serves the edge on a free port, as the gateway's own process would."""
    keep, streams = ScriptedKeep(), Streams() if streams is None else streams
    config = _config(create_app(keep, keep, public_url, proxies=proxies, streams=streams), pair)
    config.http = http or config.http
    server = HttpServer(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        serving = asyncio.create_task(server._serve([listener]))

        async def started() -> bool:
            return server.started

        await eventually(started)
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
                yield Edge(keep, streams, client, port, server)
        finally:
            streams.close()
            server.should_exit = True
            await asyncio.wait_for(serving, 10)
