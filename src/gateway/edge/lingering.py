"""The writing end of a connection: closed so that whoever still sends reads the answer, and counted.

A connection that is closed while something comes in is reset, and the reset may overtake the answer: the client would
hear of a broken connection instead of what was wrong with its request (RFC 9112, section 9.6).
"""

from __future__ import annotations

import asyncio
from typing import Any

LINGER_SECONDS = 5.0
LINGER_BYTES = 1024 * 1024
"""How long, and how much, whoever is still sending is listened to after the answer; nothing of it is kept."""


class LingeringTransport:
    """A transport, as far as uvicorn uses one."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._timer: asyncio.TimerHandle | None = None
        self._ignored = 0
        self.written = 0
        """All bytes that it took."""
        self.in_message = False
        """Whether more is to come of a request."""
        self.is_lingering = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self.is_lingering:
            self.written += len(data)
            self._transport.write(data)

    def is_closing(self) -> bool:
        return self.is_lingering or self._transport.is_closing()

    def close(self) -> None:
        """Sends what was written and nothing more, and closes then, or, where more comes, once it or its time ends."""
        if not self.in_message or self._transport.is_closing():
            self.end()
        elif not self.is_lingering:
            self.is_lingering = True
            self._timer = self._loop.call_later(LINGER_SECONDS, self._transport.close)
            if self._transport.can_write_eof():
                self._transport.write_eof()
            self._transport.resume_reading()

    def end(self) -> None:
        """Closes once everything is sent, whoever still sends."""
        if self._timer is not None:
            self._timer.cancel()
        self._transport.close()

    def ignore(self, data: bytes) -> None:
        """Counts what came after the answer."""
        self._ignored += len(data)
        if self._ignored > LINGER_BYTES:
            self.end()
