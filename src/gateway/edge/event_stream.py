"""Changes of a page as server-sent events: one `page` per change, and `end` when whoever listens may no longer.

An event carries nothing but the tag of what is new: the listener reads the page again, through the gate. At most one
event waits for a slow listener, whose connection is closed after a while; what the keep learns meanwhile becomes one
event.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway import refusal
from gateway.refusal import Refusal
from gateway.shown import Shown

HEARTBEAT_SECONDS = 15.0
SEND_SECONDS = 20.0
"""After how long a listener who takes nothing is given up."""
RETRY_MILLISECONDS = 5_000
LONGEST_TAG = 200

MOST_STREAMS = 5_000
MOST_PER_PAGE = 2_000
MOST_PER_CLIENT = 50
"""Of one address, behind which a whole company may sit."""


class Streams:
    """All open streams: how many there may be, and the end of all of them."""

    def __init__(
        self,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        most_per_client: int = MOST_PER_CLIENT,
        most: int = MOST_STREAMS,
    ) -> None:
        self.heartbeat_seconds = heartbeat_seconds
        self.closing = asyncio.Event()
        self._most, self._most_per_client = most, most_per_client
        self._clients: Counter[str] = Counter()
        self._pages: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._clients.total()

    def close(self) -> None:
        """Ends every stream, those too that begin from now on; browsers connect again, to whoever is there then.

        A refusal instead would be the last that they ask for: after one, an `EventSource` never comes back.
        """
        self.closing.set()

    def require_room(self, client: str) -> None:
        if len(self) >= self._most:
            raise refusal.unavailable()
        if self._clients[client] >= self._most_per_client:
            raise refusal.too_many(refusal.RETRY_SECONDS)

    def require_room_at(self, page: str) -> None:
        """For those who may read the page: that many listen to it tells others that it is there."""
        if self._pages[page] >= MOST_PER_PAGE:
            raise refusal.unavailable()

    @contextmanager
    def counted(self, client: str, page: str) -> Iterator[None]:
        for counter, key in ((self._clients, client), (self._pages, page)):
            counter[key] += 1
        try:
            yield
        finally:
            for counter, key in ((self._clients, client), (self._pages, page)):
                counter[key] -= 1
                if not counter[key]:
                    del counter[key]


class EventStream(Response):
    """The answer that goes on until the listener leaves, may no longer listen, or the gateway stops."""

    media_type = "text/event-stream"

    def __init__(
        self,
        changes: AsyncIterator[Shown],
        streams: Streams,
        client: str,
        page: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no", **(headers or {})})
        del self.headers["content-length"]
        self._changes = changes
        self._streams = streams
        self._client, self._page = client, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": b""})
            return
        with self._streams.counted(self._client, self._page):
            leaving = [
                asyncio.create_task(_left(receive), name="event stream listener"),
                asyncio.create_task(self._streams.closing.wait(), name="event stream closing"),
            ]
            try:
                await self._run(send, leaving)
            except TimeoutError:
                return  # a listener who takes nothing; without an end of the body the connection is closed
            finally:
                for task in leaving:
                    task.cancel()
                with suppress(Exception):
                    await self._changes.aclose()  # type: ignore[attr-defined]

    async def _run(self, send: Send, leaving: Sequence[asyncio.Task[Any]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await _send(send, f"retry: {RETRY_MILLISECONDS}\n\n")
        change: asyncio.Task[Shown] | None = None
        try:
            while True:
                change = change or asyncio.create_task(_next(self._changes), name="event stream change")
                done, _ = await asyncio.wait(
                    [change, *leaving],
                    timeout=self._streams.heartbeat_seconds,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if done.intersection(leaving):
                    break
                if not done:
                    await _send(send, ":\n\n")
                    continue
                try:
                    shown, change = change.result(), None
                except (Refusal, StopAsyncIteration):
                    await _send(send, "event: end\ndata: {}\n\n")
                    break
                await _send(send, f"id: {_line(shown.tag)}\nevent: page\ndata: {{}}\n\n")
        finally:
            if change is not None and not change.done():
                change.cancel()
                await asyncio.wait([change])
        await _send(send, "", more=False)


async def _next(changes: AsyncIterator[Shown]) -> Shown:
    try:
        return await anext(changes)
    except StopAsyncIteration:  # which no task can end with
        raise refusal.unavailable() from None


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Send, text: str, *, more: bool = True) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await send({"type": "http.response.body", "body": text.encode(), "more_body": more})


def _line(text: str) -> str:
    return "".join(text.split())[:LONGEST_TAG]
