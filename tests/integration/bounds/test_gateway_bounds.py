"""How many may be connected, how long somebody may leave an answer unread, and that who still sends reads theirs."""

from __future__ import annotations

import asyncio
import http.client
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from gateway.edge import http_server, lingering
from gateway.edge.event_stream import Streams
from gateway.edge.http_connection import LONGEST_REST, LimitedConnection
from gateway.edge.tls import open_pair
from tests.certificates import Authority
from tests.integration.edge import BEARER, Edge, an_edge
from tests.integration.told_twice import field_of, status_of, written
from tests.waiting import eventually

LIVE = written("/livez", {"host": "status.example"})
DOCUMENT = written("/openapi.json", {"host": "status.example"})
FORM = {"content-type": "application/x-www-form-urlencoded", "host": "status.example", "sec-fetch-site": "same-origin"}
SESSION = "/status/acme/session"

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Few(LimitedConnection):
    most_connections = 20  # and two more that are told
    head_seconds = 600.0


class Patient(LimitedConnection):
    unread_seconds = 1_000.0


@asynccontextmanager
async def a_connection(edge: Edge, *, buffer: int = 0) -> AsyncIterator[Ends]:
    """A connection; with `buffer`, one whose system takes only that much before it is read."""
    end = socket.socket()
    if buffer:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    end.setblocking(False)
    await asyncio.get_running_loop().sock_connect(end, ("127.0.0.1", edge.port))
    reader, writer = await asyncio.open_connection(sock=end)
    try:
        yield reader, writer
    finally:
        writer.close()


def connected(edge: Edge) -> list[LimitedConnection]:
    return [one for one in edge.server.server_state.connections if isinstance(one, LimitedConnection)]


async def there_are(edge: Edge, number: int) -> None:
    async def so_many() -> bool:
        return len(connected(edge)) == number

    await eventually(so_many)


async def test_one_too_many_is_told_when_to_come_back_and_the_next_is_cut_off() -> None:
    async with an_edge(http=Few) as edge, AsyncExitStack() as stack:
        ends = [await stack.enter_async_context(a_connection(edge)) for _ in range(22)]
        await there_are(edge, 22)
        cut_off, _ = await stack.enter_async_context(a_connection(edge))
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(cut_off.read(), 10) == b""
        reader, writer = ends[-1]
        writer.write(LIVE)
        told = await asyncio.wait_for(reader.read(), 10)  # to its end
        assert (status_of(told), field_of(told, "retry-after"), field_of(told, "connection")) == (503, "5", "close")
        first_reader, first_writer = ends[0]
        first_writer.write(LIVE)  # who was there before is answered
        assert b" 200 OK" in await asyncio.wait_for(first_reader.readline(), 10)
        for _, leaving in ends[1:4]:
            leaving.close()
        await there_are(edge, 18)
        reader, writer = await stack.enter_async_context(a_connection(edge))
        writer.write(LIVE)
        assert b" 200 OK" in await asyncio.wait_for(reader.readline(), 10)


async def test_handshakes_that_nobody_goes_on_with_count_and_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "HEAD_SECONDS", 2.0)
    made = Authority(tmp_path).server("pair", file="pair")
    trusted = ssl.create_default_context(cafile=str(made.certificate.with_name("ca.pem")))
    async with an_edge(open_pair(made.certificate, made.key), http=Few) as edge, AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(a_connection(edge)) for _ in range(22)]

        async def asked() -> bytes:
            reader, writer = await asyncio.open_connection("localhost", edge.port, ssl=trusted)
            try:
                writer.write(LIVE)
                return await reader.readline()
            finally:
                writer.close()

        with pytest.raises((ConnectionError, ssl.SSLError)):
            await asyncio.wait_for(asked(), 10)
        for reader, _ in silent:  # to the end of each, which is soon
            with suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 20) == b""
        assert b" 200 OK" in await asyncio.wait_for(asked(), 10)


async def test_what_is_no_tls_takes_no_room(tmp_path: Path) -> None:
    made = Authority(tmp_path).server("pair", file="pair")
    trusted = ssl.create_default_context(cafile=str(made.certificate.with_name("ca.pem")))
    async with an_edge(open_pair(made.certificate, made.key), http=Few) as edge:
        for ending in range(60):
            async with a_connection(edge) as (reader, writer):
                if ending % 2:
                    writer.write(LIVE)
                    with suppress(ConnectionResetError):
                        assert b"200" not in await asyncio.wait_for(reader.read(), 10)
        reader, writer = await asyncio.open_connection("localhost", edge.port, ssl=trusted)
        writer.write(LIVE)
        assert b" 200 OK" in await asyncio.wait_for(reader.readline(), 10)
        writer.close()


async def test_however_many_listen_pages_can_be_read() -> None:
    async with (
        an_edge(streams=Streams(most=1)) as edge,
        edge.http.stream("GET", "/status/acme/events", headers=BEARER) as listening,
    ):
        assert listening.status_code == 200
        refused = await edge.http.get("/status/acme/events", headers=BEARER)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert (await edge.http.get("/status/acme", headers=BEARER)).status_code == 200


async def test_who_does_not_read_is_cut_off_and_who_reads_slowly_is_not() -> None:
    async with an_edge(http=Patient) as edge, a_connection(edge, buffer=8_192) as (reader, writer):
        writer.write(DOCUMENT * 300)  # more than any system takes by itself
        (connection,) = await the_only_one(edge)
        now = asyncio.get_running_loop().time()

        async def waits_to_be_read() -> bool:
            return connection.transport.get_write_buffer_size() > 0

        for step in range(1, 4):
            await eventually(waits_to_be_read)
            read = connection.transport.written - connection.transport.get_write_buffer_size()

            async def has_read(read: int = read) -> bool:
                await reader.read(65_536)
                return connection.transport.written - connection.transport.get_write_buffer_size() > read + 65_536

            await eventually(has_read)
            connection.end_if_unread(now + step * 900)
        assert connected(edge) == [connection]

        async def is_cut_off() -> bool:
            nonlocal now
            now += 10_000
            connection.end_if_unread(now)
            return not connected(edge)

        await eventually(is_cut_off)


async def test_the_server_looks_for_who_does_not_read_by_itself() -> None:
    class Impatient(LimitedConnection):
        unread_seconds = 0.3

    async with an_edge(http=Impatient) as edge, a_connection(edge, buffer=8_192) as (_, writer):
        writer.write(DOCUMENT * 300)
        await the_only_one(edge)
        await there_are(edge, 0)
        assert (await edge.http.get("/livez")).status_code == 200


async def the_only_one(edge: Edge) -> list[LimitedConnection]:
    await there_are(edge, 1)
    return connected(edge)


def in_chunks(body: bytes) -> bytes:
    pieces = [body[place : place + 10_000] for place in range(0, len(body), 10_000)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("size", [5_000, 120_000, 800_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_who_sends_too_much_reads_that_it_was_too_much(size: int, chunked: bool) -> None:
    """Also where all of it is sent before anything is read, as browsers do."""
    async with an_edge() as edge, a_connection(edge) as (reader, writer):
        body = in_chunks(b"x" * size) if chunked else b"x" * size
        how = {"transfer-encoding": "chunked"} if chunked else {"content-length": str(size)}
        request = written(SESSION, FORM | how).replace(b"GET ", b"POST ", 1) + body
        async with asyncio.timeout(20):
            for place in range(0, len(request), 20_000):
                writer.write(request[place : place + 20_000])
                await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            told = head + await reader.readexactly(int(field_of(head, "content-length") or 0))
        assert status_of(told) == 413
        assert b"At most 4096 bytes are read." in told
        if size > LONGEST_REST and (size > 500_000 or not chunked):
            assert await asyncio.wait_for(reader.read(), 20) == b""  # an end, and no reset
            assert chunked or field_of(told, "connection") == "close"


@pytest.mark.parametrize("over_tls", [False, True])
async def test_programs_of_others_read_that_it_was_too_much(tmp_path: Path, over_tls: bool) -> None:
    made = Authority(tmp_path).server("pair", file="pair")
    trusted = ssl.create_default_context(cafile=str(made.certificate.with_name("ca.pem")))
    pair = open_pair(made.certificate, made.key) if over_tls else None
    async with an_edge(pair) as edge:

        def asked() -> int:
            connection = (
                http.client.HTTPSConnection("localhost", edge.port, context=trusted, timeout=20)
                if over_tls
                else http.client.HTTPConnection("127.0.0.1", edge.port, timeout=20)
            )
            connection.request("POST", SESSION, b"x" * 500_000, FORM)
            return connection.getresponse().status

        assert await asyncio.to_thread(asked) == 413
        if curl := shutil.which("curl"):  # it comes with nearly every system, and is not worth a skip elsewhere
            url = f"https://localhost:{edge.port}" if over_tls else f"http://127.0.0.1:{edge.port}"
            (tmp_path / "body").write_bytes(b"x" * 500_000)
            told = await asyncio.create_subprocess_exec(
                *(curl, "-sS", "--cacert", str(made.certificate.with_name("ca.pem")), "-o", "/dev/null"),
                *("-w", "%{http_code}", "-H", "Sec-Fetch-Site: same-origin", "-H", "Expect:"),
                *("--data-binary", f"@{tmp_path / 'body'}", url + SESSION),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            output, errors = await told.communicate()
            assert (told.returncode, output) == (0, b"413"), errors


async def test_who_goes_on_sending_is_listened_to_for_so_long_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "LINGER_SECONDS", 0.2)
    async with an_edge() as edge, a_connection(edge) as (reader, writer):
        writer.write(written(SESSION, FORM | {"content-length": "900000"}).replace(b"GET ", b"POST ", 1))
        assert b" 413 " in await asyncio.wait_for(reader.readline(), 10)
        await there_are(edge, 0)


async def test_an_answer_to_a_whole_request_closes_at_once() -> None:
    """There is nothing to listen to after it."""
    async with an_edge() as edge, a_connection(edge) as (reader, writer):
        writer.write(written("/livez", {f"x-{number}": "" for number in range(100)}))
        assert b" 431 " in await asyncio.wait_for(reader.readline(), 10)
        await there_are(edge, 0)


async def test_too_much_that_is_quicker_than_the_answer_does_not_cost_it() -> None:
    async with an_edge() as edge, a_connection(edge) as (reader, writer):
        edge.keep.together = asyncio.Barrier(2)  # nobody is answered before the test says so
        writer.write(written("/status/acme", {"host": "a", **BEARER, "content-length": "900000"}))
        (connection,) = await the_only_one(edge)

        async def is_asked() -> bool:
            return bool(edge.keep.asked)

        await eventually(is_asked)
        connection.data_received(b"x" * 200_000)  # in one piece, as it may come out of TLS
        await edge.keep.together.wait()
        told = await asyncio.wait_for(reader.read(), 20)
        assert (status_of(told), field_of(told, "connection")) == (200, "close")
        assert told.rstrip().endswith(b"</html>")
