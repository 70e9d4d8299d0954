"""A channel that adds the caller's credential to every call and raises `OncallError` for every failure.

A wrapper and not a pair of gRPC interceptors, because an intercepted asyncio call runs in a task of its own and no
longer passes exceptions and cancellation on as a plain one does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import grpc

from oncall.channel import authorization
from oncall.errors import from_rpc_error
from oncall.follow import Backoff
from oncall.repeating import UnaryCall, repeatable

Metadata = Iterable[tuple[str, str | bytes]]


class AuthorizedChannel:
    """As much of `grpc.aio.Channel` as generated stubs of this contract need.

    Unary calls that are safe to repeat are repeated for `retry_for` seconds while the server is away.
    """

    def __init__(self, channel: grpc.aio.Channel, token: str, retry_for: float = 0.0) -> None:
        self._channel = channel
        self._authorization = authorization(token)
        self._retry_for = retry_for

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., UnaryCall]:
        make = self._channel.unary_unary(method, *args, **kwargs)

        def call(request: Any, *, metadata: Metadata = (), timeout: float | None = None, **more: Any) -> UnaryCall:
            again = repeatable(method, request) if self._retry_for else None
            sent = request if again is None else again

            def start(seconds: float | None) -> Any:
                return make(sent, metadata=(*metadata, self._authorization), timeout=seconds, **more)

            return UnaryCall(start, timeout, None if again is None else Backoff(self._retry_for))

        return call

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., StreamCall]:
        make = self._channel.unary_stream(method, *args, **kwargs)

        def call(request: Any, *, metadata: Metadata = (), **more: Any) -> StreamCall:
            return StreamCall(make(request, metadata=(*metadata, self._authorization), **more))

        return call


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
