"""A gateway's pages over real HTTP, for a browser: real templates, assets and headers, and content that tests change.

What the routes decide (who may read, what is kept) is not here; it is tested over the gateway itself.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway import assets, languages
from gateway.refusal import Refusal, missing_token, unavailable, unknown_token
from gateway.representations.html import headers, render, render_refusal
from gateway.security_headers import SecurityHeaders
from gateway.shown import Shown
from oncall.v1.partner_service_pb2 import GetStatusPageResponse
from tests.unit.gateway.full_page import NOW, a_full_page

TOKEN = "ocp_right"
COOKIE = "session"


@dataclass(slots=True)
class Site:
    """What is shown at `/status/acme`, as tests set it; `private` asks for a session."""

    address: str = ""
    content: GetStatusPageResponse = field(default_factory=a_full_page)
    tag: str = "tag-1"
    stale_since: datetime | None = None
    private: bool = False
    down: bool = False
    reads: int = 0
    _loop: asyncio.AbstractEventLoop | None = None
    _watchers: set[asyncio.Queue[str]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{self.address}/status/acme"

    @property
    def watched(self) -> bool:
        return bool(self._watchers)

    def change(self, tag: str) -> None:
        """Tells every open page that there is something new."""
        self.tag = tag
        self._send(f"id: {tag}\nevent: page\ndata: {{}}\n\n")

    def revoke(self) -> None:
        """Ends every session and every stream."""
        self.private = True
        self._send("event: end\ndata: {}\n\n")

    def app(self) -> Starlette:
        routes = [
            Route("/status/acme", self._page),
            Route("/status/acme/events", self._events),
            Route("/status/acme/session", self._session, methods=["POST"]),
            Route("/assets/{name}", _asset),
        ]
        return Starlette(
            routes=routes, middleware=[Middleware(SecurityHeaders)], exception_handlers={Refusal: _refused}
        )

    def _send(self, event: str) -> None:
        assert self._loop
        for watcher in [*self._watchers]:
            self._loop.call_soon_threadsafe(watcher.put_nowait, event)

    def _admit(self, request: Request) -> None:
        if self.down:
            raise unavailable()
        if self.private and request.cookies.get(COOKIE) != TOKEN:
            raise missing_token()

    async def _page(self, request: Request) -> Response:
        self._admit(request)
        self.reads += 1
        code = languages.preferred(request.headers.get("accept-language"))
        shown = Shown(self.content, self.tag, self.stale_since)
        rendering = render(shown, self.url, code, NOW)
        return Response(rendering.body, 200, headers(self.content, code), rendering.media_type)

    async def _events(self, request: Request) -> Response:
        self._admit(request)
        self._loop = asyncio.get_running_loop()
        return StreamingResponse(self._stream(request.query_params.get("after", "")), media_type="text/event-stream")

    async def _stream(self, after: str) -> AsyncIterator[str]:
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            yield ": hello\n\n" if after == self.tag else f"id: {self.tag}\nevent: page\ndata: {{}}\n\n"
            while True:
                yield await queue.get()
        finally:
            self._watchers.discard(queue)

    async def _session(self, request: Request) -> Response:
        sent = (await request.body()).decode()
        if sent != f"token={TOKEN}":
            raise unknown_token()
        response = RedirectResponse("/status/acme", 303)
        response.set_cookie(COOKIE, TOKEN, httponly=True, samesite="strict")
        return response


async def _asset(request: Request) -> Response:
    found = assets.asset(request.url.path)
    return Response(found.body, media_type=found.media_type) if found else PlainTextResponse("", 404)


async def _refused(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    code = languages.preferred(request.headers.get("accept-language"))
    rendering = render_refusal(refusal, code, "/status/acme/session")
    return Response(rendering.body, refusal.status, {"Content-Language": code}, rendering.media_type)


@contextmanager
def a_site() -> Iterator[Site]:
    """Serves a site on a free port from a thread of its own."""
    site = Site()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        site.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(site.app(), log_level="error", lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        listening.listen()
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield site
        finally:
            server.force_exit = server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()
