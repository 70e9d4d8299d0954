"""HTTP connections with limits: how many, how much may come before a request is whole, how long that may take, and
how long an answer may wait to be read.

The parser itself takes headers and trailers without end, and waits for the rest of a request for ever; uvicorn waits
for ever for those who do not read, and its `limit_concurrency` bounds what is asked at one time, not connections
(docs/decisions/0041).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway import refusal
from gateway.answers import Answer
from gateway.edge.lingering import LingeringTransport
from gateway.encoded_headers import lines_of

LONGEST_HEAD = 16_384
"""Bytes of address and headers."""
LONGEST_REST = 65_536
"""Bytes of all that comes behind a head, more than `gateway.edge.body` reads: a body, chunks, trailers."""
MOST_HEADERS = 64
MOST_IN_LINE = 1_000
"""Requests that wait for the answer to one before them; one read of short ones is many thousands, of 2 kB each."""
HEAD_SECONDS = 10.0
"""How long the head of a request may take, the first one's TLS handshake not among it."""
MOST_CONNECTIONS = 10_000
STANDING_ROOM = 0.1
"""For so many more, as a share, there is an answer that says when to come back; any further one is cut off."""
UNREAD_SECONDS = 20.0
LEAST_READ = 32 * 1024
"""Whoever has something to read takes as much in that time, or all of it."""

_REFUSAL = b"content-length: 0\r\ncache-control: private, no-store\r\nconnection: close\r\n\r\n"
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\n" + _REFUSAL
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: %d\r\n" % refusal.RETRY_SECONDS + _REFUSAL
_MALFORMED = b"HTTP/1.1 400 Bad Request\r\n" + _REFUSAL


log = structlog.get_logger()


class LimitedConnection(HttpToolsProtocol):
    """uvicorn's connection, closed to those who send too much, send or read too slowly, or are too many.

    An application with `answer_at_once` is asked for that first: an answer that waits for nothing needs no task.
    """

    head_seconds = HEAD_SECONDS
    unread_seconds = UNREAD_SECONDS
    most_connections = MOST_CONNECTIONS
    transport: LingeringTransport  # type: ignore[assignment] # all of a transport that is used

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._answer_at_once = getattr(self.app, "answer_at_once", None)
        self._defaults: list[tuple[bytes, bytes]] = []
        self._encoded_defaults = b""
        self._in_head = False
        self._piece = self._first_piece = self._more = 0
        """Bytes of what came last, of that with which a message began, and of what came of the message after that."""
        self._head_timer: asyncio.TimerHandle | None = None
        self._refused = self._stands = False
        self._read, self._read_at = 0, self.loop.time()
        """How much the client had read when it last made progress, and when that was."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = LingeringTransport(transport, self.loop)
        self._stands = len(self.connections) > self.most_connections
        if len(self.connections) > self.most_connections * (1 + STANDING_ROOM):
            self._refused = True
            transport.abort()
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)
        self.transport.end()

    def data_received(self, data: bytes) -> None:
        if self._refused or self.transport.is_lingering:
            self.transport.ignore(data)
            return
        self._piece = len(data)
        if self.transport.in_message:
            self._more += self._piece
        super().data_received(data)
        if self._in_head:  # it nearly always comes in one piece
            if self._more > LONGEST_HEAD:
                self._refuse(_TOO_LARGE)
            elif self._head_timer is None:
                self._await_head()
        elif self.transport.in_message and self._more > LONGEST_HEAD + LONGEST_REST:
            self._hear_no_more()
        elif self.timeout_keep_alive_task is None and self._head_timer is None and self._is_idle():
            self._await_head()  # what came was no head, and ended the wait for one: a line break, or the rest of a body

    def shutdown(self) -> None:
        """Ends the connection with its answer, if one is being made; nobody is waited for who only sends."""
        if self._is_idle():
            self.transport.end()
        else:
            super().shutdown()

    def end_if_unread(self, now: float) -> None:
        """Cuts off a client who has something to read and does not; to be called now and then."""
        unread = self.transport.get_write_buffer_size()
        read = self.transport.written - unread
        if not unread or read - self._read >= LEAST_READ:
            self._read, self._read_at = read, now
        elif now - self._read_at > self.unread_seconds:
            log.info("reader_cut_off", unread=unread)
            self.transport.abort()

    def on_message_begin(self) -> None:
        self._in_head = self.transport.in_message = True
        self._first_piece, self._more = self._piece, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_came()
        names = [name for name, _ in self.headers]
        is_long = self._first_piece + self._more > LONGEST_HEAD and self._head_bytes() > LONGEST_HEAD
        if is_long or len(self.headers) > MOST_HEADERS:
            self._refuse(_TOO_LARGE)
        elif names.count(b"host") > 1:  # others might go by the other one
            self._refuse(_MALFORMED)
        elif self._stands and len(self.connections) > self.most_connections:
            self._refuse(_FULL)
        elif len(self.pipeline) >= MOST_IN_LINE:
            self._give_up()
        if not self._refused:
            super().on_headers_complete()
            # An upgrade is to nothing, but the parser drops what came along behind the request.
            if self.parser.should_upgrade() or (b"content-length" in names and self._announced(names) > LONGEST_REST):
                self.cycle.keep_alive = False
            self.headers = []  # for trailers: what comes behind a body is no part of what has been read and looked at

    def _announced(self, names: Sequence[bytes]) -> int:
        return int(self.headers[names.index(b"content-length")][1])

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self.transport.in_message = False
        if self._refused:
            self.transport.end()
        else:
            super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Begins the answer to a request whose turn it is."""
        if self._answer_at_once and not (self.flow.write_paused or self.transport.is_closing()):
            answer = self._answer_at_once(cycle.scope)
            if answer is not None:
                # After all that came in this turn of the loop: clients that are woken one by one take turns with us.
                self.loop.call_soon(self._send, cycle, answer)
                return
        super()._start_asgi_task(cycle, app)

    def _send(self, cycle: RequestResponseCycle, answer: Answer) -> None:
        """Does what the cycle's own `send` does, but the headers are encoded, and known to be sendable."""
        if cycle.disconnected:
            return
        cycle.response_started = cycle.response_complete = True
        content = [
            STATUS_LINE[answer.status],
            self._default_lines(),
            answer.headers,
            b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n",
            answer.body,
        ]
        self.transport.write(b"".join(content))
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def _default_lines(self) -> bytes:
        """Answers what the server adds, the date, which is another list of headers each second."""
        if self._defaults is not self.server_state.default_headers:
            self._defaults = self.server_state.default_headers
            self._encoded_defaults = lines_of(self._defaults)
        return self._encoded_defaults

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _refuse(self, answer: bytes) -> None:
        """Says what is wrong with a head, unless the answer to a request before it would be taken for that."""
        if not self._refused and self._is_idle():
            self.transport.write(answer)
        self._give_up()

    def _give_up(self) -> None:
        self._refused = True
        self.transport.close()

    def _hear_no_more(self) -> None:
        """Reads nothing more of a request; what came may be more quickly there than its answer, which is still told."""
        self._refused = True
        if self._is_idle():
            self.transport.close()
        else:
            self.cycle.keep_alive = False
            self.flow.pause_reading()

    def _is_idle(self) -> bool:
        """Whether every request that came is answered."""
        return self.cycle is None or self.cycle.response_complete

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def _head_came(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.end()
