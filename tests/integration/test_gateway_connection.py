"""What a connection takes for a request, and what it does to those who say it in unusual ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import pytest

from gateway.edge.http_connection import LONGEST_HEAD, LONGEST_REST, MOST_IN_LINE, LimitedConnection
from tests.integration.edge import an_edge
from tests.integration.told_twice import field_of, status_of, two_worlds, written

PAGE = "/status/acme"
HOST = {"host": "status.example"}
GOOD = HOST | {"authorization": "Bearer good"}
LIVE = written("/livez", HOST)


def in_chunks(headers: Mapping[str, str], trailers: Mapping[str, str]) -> bytes:
    """Answers a request for the page with an empty body in chunks, and fields behind it."""
    head = written(PAGE, {**headers, "transfer-encoding": "chunked"})
    return head + "".join(f"{line}\r\n" for line in ["0", *(f"{n}: {v}" for n, v in trailers.items()), ""]).encode()


@asynccontextmanager
async def a_connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def test_what_stands_behind_a_body_is_no_credential_of_whoever_asks_next() -> None:
    async with two_worlds(titles={"partner-1": "For one alone"}) as worlds:
        trailers = {"authorization": "Bearer good", "cookie": "oncall-session=good"}
        answers = await worlds.ask(in_chunks(HOST, trailers), *[written(PAGE, HOST)] * 2)
        assert not any(b"For one alone" in answer for answer in answers)
        assert worlds.quick.at_once == 2
        assert b"For one alone" in (await worlds.ask(written(PAGE, GOOD)))[0]


async def test_what_stands_behind_a_body_is_not_kept_for_who_asks_without_it() -> None:
    async with two_worlds(public=True) as worlds:
        (answer,) = await worlds.ask(in_chunks(GOOD, {"if-none-match": "*", "accept": "application/json"}))
        again = await worlds.ask(*[written(PAGE, GOOD)] * 2)
        assert [status_of(one) for one in [answer, *again]] == [200] * 3
        assert {field_of(one, "content-type") for one in [answer, *again]} == {"text/html; charset=utf-8"}
        assert worlds.quick.at_once == 2


@pytest.mark.parametrize("rest", [b"", b"x-endless: "])
async def test_trailers_without_an_end_do_not_fill_the_memory(rest: bytes) -> None:
    async with an_edge() as edge, a_connection(edge.port) as (reader, writer):
        writer.write(in_chunks(HOST, {})[:-2] + rest)
        sent, piece = 0, b"x" * 1_000 if rest else b"x: y\r\n" * 160
        with suppress(ConnectionError):
            while not reader.at_eof() and sent < 100 * (LONGEST_HEAD + LONGEST_REST):
                writer.write(piece)
                await writer.drain()
                sent += len(piece)
                await asyncio.sleep(0)
        assert sent < 100 * (LONGEST_HEAD + LONGEST_REST)


class Impatient(LimitedConnection):
    head_seconds = 0.2


@pytest.mark.parametrize("body", [False, True])
async def test_who_sends_something_after_an_answer_and_then_nothing_is_not_waited_for(body: bool) -> None:
    """A line break, or a piece of a body that nobody reads."""
    async with an_edge(http=Impatient) as edge, a_connection(edge.port) as (reader, writer):
        writer.write(written("/livez", HOST | ({"content-length": "1000"} if body else {})))
        assert status_of(await reader.readuntil(b'{"status":"alive"}')) == 200
        writer.write(b"\r\n")
        assert await asyncio.wait_for(reader.read(), 20) == b""


async def test_an_upgrade_is_no_request_that_swallows_the_next_one() -> None:
    """The parser drops what comes along behind it, so the connection is closed, and nobody waits for an answer."""
    async with two_worlds() as worlds:
        request = written(PAGE, GOOD | {"connection": "upgrade", "upgrade": "h2c"})
        for answer in (await worlds.ask(request), await worlds.ask(request)):
            assert (status_of(answer[0]), field_of(answer[0], "connection")) == (200, "close")
        assert worlds.quick.at_once == 1


async def test_a_request_that_names_two_hosts_is_refused() -> None:
    """Whoever keeps pages in front of the gateway might go by the other one (RFC 9112, section 3.2)."""
    async with two_worlds(public=True) as worlds:
        await worlds.ask(*[written(PAGE, HOST)] * 2)
        answers = await worlds.ask(written(PAGE, HOST | {"Host": "elsewhere.example"}))
        assert (status_of(answers[0]), field_of(answers[0], "connection")) == (400, "close")
        assert worlds.quick.at_once == 1


async def test_a_bad_request_in_line_is_not_told_as_the_answer_to_the_one_before() -> None:
    async with an_edge() as edge, a_connection(edge.port) as (reader, writer):
        writer.write(LIVE + written("/livez", {f"x-{number}": "" for number in range(100)}))
        assert not (await asyncio.wait_for(reader.read(), 20)).startswith(b"HTTP/1.1 431")


async def test_a_line_of_requests_has_an_end() -> None:
    longest = 0

    class Measured(LimitedConnection):
        def on_message_complete(self) -> None:
            nonlocal longest
            super().on_message_complete()
            longest = max(longest, len(self.pipeline))

    async with an_edge(http=Measured) as edge, a_connection(edge.port) as (reader, writer):
        writer.write(LIVE * 20 * MOST_IN_LINE)
        with suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 10)  # to its end: it is closed
        assert 0 < longest <= MOST_IN_LINE
