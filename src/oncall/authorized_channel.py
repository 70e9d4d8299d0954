"""A channel that adds the caller's credential to every call and raises `OncallError` for every failure.

A wrapper and not a pair of gRPC interceptors, because an intercepted asyncio call runs in a task of its own and no
longer passes exceptions and cancellation on as a plain one does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterable
from typing import Any, TypeVar

import grpc

from oncall.channel import authorization
from oncall.errors import from_rpc_error

CallT = TypeVar("CallT")


class AuthorizedChannel:
    """As much of `grpc.aio.Channel` as generated stubs of this contract need."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._channel = channel
        self._authorization = authorization(token)

    def unary_unary(self, *args: Any, **kwargs: Any) -> Callable[..., UnaryCall]:
        return self._authorized(self._channel.unary_unary(*args, **kwargs), UnaryCall)

    def unary_stream(self, *args: Any, **kwargs: Any) -> Callable[..., StreamCall]:
        return self._authorized(self._channel.unary_stream(*args, **kwargs), StreamCall)

    def _authorized(self, method: Callable[..., Any], wrap: Callable[[Any], CallT]) -> Callable[..., CallT]:
        def call(request: Any, *, metadata: Iterable[tuple[str, str | bytes]] = (), **kwargs: Any) -> CallT:
            return wrap(method(request, metadata=(*metadata, self._authorization), **kwargs))

        return call


class UnaryCall:
    """A call that, awaited, answers the response or raises `OncallError`; all else is as in gRPC's own."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def __await__(self) -> Generator[Any, None, Any]:
        try:
            return (yield from self._call.__await__())
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)


class StreamCall:
    """A call whose iteration raises `OncallError`; all else is as in gRPC's own."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            async for response in self._call:
                yield response
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)
