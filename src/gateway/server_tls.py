"""The channel to the server over TLS: whom it trusts and what it shows, from files that may change.

gRPC reads a channel's certificates once. So there is a new channel once a file changes: new calls go over it, and the
old one stays for the calls that are under way, the watch among them, until they end by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grpc

from kernel.certificate_files import (
    LOOK_SECONDS,
    ChangingFiles,
    read_authorities,
    read_identity,
    reload_again_and_again,
)

OpenChannel = Callable[[grpc.ChannelCredentials], grpc.aio.Channel]


@dataclass(slots=True)
class ServerTls:
    """The files, and the credentials made of what was good in them last."""

    authorities: Path | None
    certificate: Path | None
    key: Path | None
    credentials: grpc.ChannelCredentials
    _files: ChangingFiles

    def reload(self) -> bool:
        """Reads the files if they changed; whether there is something new. UnusableFiles while they are bad."""
        if not self._files.changed():
            return False
        self.credentials = _credentials(self.authorities, self.certificate, self.key)
        self._files.were_read()
        return True


def open_server_tls(authorities: Path | None, certificate: Path | None, key: Path | None) -> ServerTls:
    """Reads the files; UnusableFiles where that cannot be. Without authorities, gRPC's own roots are trusted."""
    files = ChangingFiles(authorities, certificate, key)
    return ServerTls(authorities, certificate, key, _credentials(authorities, certificate, key), files)


@asynccontextmanager
async def renewed_channel(
    tls: ServerTls, open_channel: OpenChannel, look_seconds: float = LOOK_SECONDS
) -> AsyncIterator[grpc.aio.Channel]:
    """Opens a channel for stubs that goes by the newest of the files."""
    channel = _RenewedChannel(open_channel(tls.credentials))

    def renew() -> None:
        channel.renew(open_channel(tls.credentials))

    watching = asyncio.create_task(reload_again_and_again(tls.reload, look_seconds, renew), name="server tls")
    try:
        yield cast("grpc.aio.Channel", channel)
    finally:
        watching.cancel()
        await channel.close()


class _RenewedChannel:
    """As much of `grpc.aio.Channel` as generated stubs need."""

    def __init__(self, first: grpc.aio.Channel) -> None:
        self._current = _Generation(first)
        self._retiring: dict[_Generation, asyncio.Task[None]] = {}

    def unary_unary(self, method: str, *arguments: Any, **named: Any) -> Callable[..., Any]:
        def make(channel: grpc.aio.Channel) -> Callable[..., Any]:
            return channel.unary_unary(method, *arguments, **named)

        return lambda *given, **more: self._current.start(method, make, *given, **more)

    def unary_stream(self, method: str, *arguments: Any, **named: Any) -> Callable[..., Any]:
        def make(channel: grpc.aio.Channel) -> Callable[..., Any]:
            return channel.unary_stream(method, *arguments, **named)

        return lambda *given, **more: self._current.start(method, make, *given, **more)

    def renew(self, channel: grpc.aio.Channel) -> None:
        """Lets all calls from now on go over another channel."""
        old, self._current = self._current, _Generation(channel)
        self._retiring[old] = asyncio.create_task(self._retire(old))

    async def close(self) -> None:
        for task in self._retiring.values():
            task.cancel()
        for generation in (self._current, *self._retiring):
            await generation.channel.close()

    async def _retire(self, generation: _Generation) -> None:
        await generation.idle.wait()
        del self._retiring[generation]
        await generation.channel.close()


class _Generation:
    """A channel and how many calls are under way on it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.idle = asyncio.Event()
        self.idle.set()
        self._calls = 0
        self._makers: dict[str, Callable[..., Any]] = {}

    def start(
        self, method: str, make: Callable[[grpc.aio.Channel], Callable[..., Any]], *given: Any, **more: Any
    ) -> Any:
        maker = self._makers.get(method)
        if maker is None:
            maker = self._makers[method] = make(self.channel)
        call = maker(*given, **more)
        self._calls += 1
        self.idle.clear()
        call.add_done_callback(self._ended)
        return call

    def _ended(self, _: object) -> None:
        self._calls -= 1
        if not self._calls:
            self.idle.set()


def _credentials(authorities: Path | None, certificate: Path | None, key: Path | None) -> grpc.ChannelCredentials:
    roots = read_authorities(authorities) if authorities else None
    if certificate is None or key is None:
        return grpc.ssl_channel_credentials(roots)
    identity = read_identity(certificate, key)
    return grpc.ssl_channel_credentials(roots, identity.key, identity.certificate)
