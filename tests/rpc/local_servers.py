"""Small servers on loopback that runbooks look at: HTTP, TLS, DNS, and TCP in front of a Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answer = tuple[int, bytes]


@dataclass
class HttpServer:
    """Answers each path with what `answers` holds, or computes, for it; everything else with 404."""

    answers: Mapping[str, Answer | Callable[[Asked], Answer]]
    url: str = ""
    asked: list[Asked] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            method, path, _ = first.split(" ")
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.asked.append(Asked(method, path, headers, body))
            answer = self.answers.get(path, (404, b""))
            status, content = answer(self.asked[-1]) if callable(answer) else answer
            head = f"HTTP/1.1 {status} It\r\ncontent-length: {len(content)}\r\nconnection: close\r\n"
            head += "location: /elsewhere\r\n" if status == 302 else ""
            writer.write(f"{head}\r\n".encode() + content)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def an_http_server(answers: Mapping[str, Answer | Callable[[Asked], Answer]]) -> AsyncIterator[HttpServer]:
    server = HttpServer(answers)
    async with _listening(server.serve) as port:
        server.url = f"http://127.0.0.1:{port}"
        yield server


@asynccontextmanager
async def a_tls_server(folder: Path, *, name: str, valid: timedelta) -> AsyncIterator[int]:
    """Yields the port of a server whose certificate is for `name` and its own issuer."""
    certificate, key = a_certificate(folder, name=name, valid=valid)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    async with _listening(serve, context) as port:
        yield port


def a_certificate(folder: Path, *, name: str, valid: timedelta) -> tuple[Path, Path]:
    """Answers the files of a certificate that signs itself, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + valid)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


class _Dns(asyncio.DatagramProtocol):
    def __init__(self, addresses: Mapping[str, list[str]]) -> None:
        self._addresses = addresses

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        at, labels = 12, []
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        question = data[12 : at + 5]
        found = self._addresses.get(".".join(labels).lower())
        records = [b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes(map(int, a.split("."))) for a in found or []]
        flags = 0x8180 if found is not None else 0x8183
        header = data[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0)
        self._transport.sendto(header + question + b"".join(records), addr)  # type: ignore[attr-defined]


@asynccontextmanager
async def a_dns_server(addresses: Mapping[str, list[str]]) -> AsyncIterator[str]:
    """Yields the address of a server that knows the A records of some names."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Dns(addresses), local_addr=("127.0.0.1", 0))
    yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    transport.close()


@asynccontextmanager
async def a_port_for(unix_socket: Path) -> AsyncIterator[int]:
    """Yields a TCP port behind which a server on a Unix socket stands."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(unix_socket)
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(reader, to_server))
            group.create_task(_copy(from_server, writer))

    async with _listening(serve) as port:
        yield port


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def _listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)  # type: ignore[arg-type]
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
