"""The client: HTTP/1.1 over connections that stay open, too bare to be a bottleneck, with a clock on each request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import NamedTuple, cast

import httptools

Address = tuple[str, int]


class Answer(NamedTuple):
    """What came back; `sent` is read before the first byte goes out, `done` after the last one has come."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes
    sent: float
    done: float


class Unanswered(Exception):
    """The connection broke after the request was sent: nobody knows whether it was answered."""

    def __init__(self, sent: float) -> None:
        super().__init__()
        self.sent = sent


class Unreachable(Exception):
    """Nobody listens; nothing was sent."""


class Connection:
    """One connection to one gateway, opened again when it is needed; one request at a time."""

    def __init__(self, address: Address, source: str) -> None:
        self._address = address
        self._source = source
        self._exchange: _Exchange | None = None

    async def get(self, path: str, headers: str = "") -> Answer:
        """Asks; `headers` are whole lines."""
        return await self._ask(f"GET {path} HTTP/1.1\r\nhost: storm\r\n{headers}\r\n".encode())

    async def post(self, path: str, form: str) -> Answer:
        head = f"POST {path} HTTP/1.1\r\nhost: storm\r\ncontent-type: application/x-www-form-urlencoded\r\n"
        return await self._ask(
            f"{head}sec-fetch-site: same-origin\r\ncontent-length: {len(form)}\r\n\r\n{form}".encode()
        )

    def close(self) -> None:
        if self._exchange:
            self._exchange.transport.close()

    async def _ask(self, request: bytes) -> Answer:
        if self._exchange is None or self._exchange.is_over:
            try:
                _, self._exchange = await asyncio.get_running_loop().create_connection(
                    _Exchange, *self._address, local_addr=(self._source, 0)
                )
            except OSError:
                raise Unreachable from None
        return await self._exchange.ask(request)


class _Exchange(asyncio.Protocol):
    """The protocol of one connection; also the callbacks of its parser."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.is_over = False
        self._waiting: asyncio.Future[Answer] | None = None
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by name

    def connection_lost(self, _: Exception | None) -> None:
        self.is_over = True
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(Unanswered(self._sent))

    async def ask(self, request: bytes) -> Answer:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._waiting = asyncio.get_running_loop().create_future()
        self._sent = time.monotonic()
        self.transport.write(request)
        return await self._waiting

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if not self._parser.should_keep_alive():
            self.is_over = True
        answer = Answer(
            self._parser.get_status_code(), self._headers, b"".join(self._body), self._sent, time.monotonic()
        )
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(answer)


class Refused(Exception):
    """An event stream was not opened."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


async def listen(address: Address, source: str, path: str, headers: str) -> AsyncGenerator[Answer | str, None]:
    """Yields the answer, without a body, once the stream stands, and then the name of each event; returns at its end.

    Raises Refused, Unanswered or Unreachable where there is no stream.
    """
    try:
        reader, writer = await asyncio.open_connection(*address, local_addr=(source, 0))
    except OSError:
        raise Unreachable from None
    sent, stands = time.monotonic(), False
    try:
        # Else the connection of a stream that was cut would stay open for whatever is asked next.
        writer.write(f"GET {path} HTTP/1.1\r\nhost: storm\r\nconnection: close\r\n{headers}\r\n".encode())
        with suppress(ConnectionError):
            if status := await reader.readline():
                answer = Answer(int(status.split()[1]), await _headers(reader), b"", sent, time.monotonic())
                if answer.status != 200:
                    raise Refused(answer)
                stands = True
                yield answer
            while line := await reader.readline():
                if line.startswith(b"event: "):
                    yield line[7:].strip().decode()
        if not stands:
            raise Unanswered(sent)
    finally:
        writer.close()


async def _headers(reader: asyncio.StreamReader) -> dict[bytes, bytes]:
    found = {}
    while line := (await reader.readline()).strip():
        name, _, value = line.partition(b":")
        found[name.lower()] = value.strip()
    return found
