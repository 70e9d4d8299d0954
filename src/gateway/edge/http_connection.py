"""HTTP connections with limits: how much may come before a request is whole, and how long that may take.

The parser itself takes headers without end, and waits for the rest of one for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 16_384
"""Bytes of address and headers."""
MOST_HEADERS = 64
HEAD_SECONDS = 10.0
"""How long the head of a request may take, the first one's TLS handshake not among it."""

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\ncache-control: private, no-store\r\nconnection: close\r\n\r\n"
)


class LimitedConnection(HttpToolsProtocol):
    """uvicorn's connection, closed to those who send too much or too slowly."""

    head_seconds = HEAD_SECONDS

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        if self._head_timer is None:
            self._await_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if self._admit(len(url)):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._admit(len(name) + len(value) + 4) and len(self.headers) < MOST_HEADERS:
            super().on_header(name, value)
        else:
            self._refuse()

    def on_headers_complete(self) -> None:
        self._head_came()
        if not self._refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._refused:
            super().on_message_complete()

    def _admit(self, size: int) -> bool:
        self._head_bytes += size
        if self._head_bytes > LONGEST_HEAD:
            self._refuse()
        return not self._refused

    def _refuse(self) -> None:
        if not self._refused:
            self._refused = True
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def _head_came(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()
