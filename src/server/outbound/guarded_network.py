"""Connections to checked addresses alone: a name is looked up once, and what was checked is what is connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpcore

from server.domain.outbound import AddressRefused, OutboundPolicy

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Answers the addresses of a host, in the order in which they are to be tried; OSError where there are none."""

MOST_ADDRESSES = 4
"""Tried one after the other, within the time of one connection."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Asks the system, which also knows that `0x7f.1` is an address; each address once."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """As httpcore's own, but for where it connects to. TLS is spoken with the name, not with the address."""

    def __init__(self, policy: OutboundPolicy, find: Resolve = resolve) -> None:
        self._policy = policy
        self._find = find
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore calls it
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                return await self._connect(host, port, socket_options)
        except TimeoutError:
            raise httpcore.ConnectTimeout from None

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore calls it
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise AddressRefused

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    async def _connect(
        self, host: str, port: int, options: Iterable[httpcore.SOCKET_OPTION] | None
    ) -> httpcore.AsyncNetworkStream:
        try:
            found = await self._find(host, port)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError from None
        permitted = [address for address in found if self._policy.permits(address, host=host)][:MOST_ADDRESSES]
        if not permitted:
            raise AddressRefused if found else httpcore.ConnectError
        for address in permitted[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, socket_options=options)
            except httpcore.ConnectError:
                continue
        return await self._inner.connect_tcp(permitted[-1], port, socket_options=options)
