"""Wraps handlers of every style alike: unary or streaming, coroutine or generator.

A *wrapper* is an async context manager, made of request and context, around the whole of one call, its stream included.
Nothing task-bound may be in it: what follows a `yield` may run in another task.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import TYPE_CHECKING, Any

import grpc

Context = Any  # grpc.aio.ServicerContext, whose stubs differ from what handlers are given
if TYPE_CHECKING:  # only the stubs of grpc know that it is generic
    Handler = grpc.RpcMethodHandler[Any, Any]
    Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]
else:
    Handler = Continuation = Any
Around = Callable[[Any, Context], AbstractAsyncContextManager[None]]


class Malformed:
    """Stands for a request that could not be parsed, until the handler is called and can refuse it."""


def wrap(handler: Handler, around: Around) -> Handler:
    """Answers `handler` with `around` around each call."""
    for style in ("unary_unary", "stream_unary", "unary_stream", "stream_stream"):
        inner = getattr(handler, style)
        if inner is not None:
            wrapped = _wrap_stream(inner, around) if inspect.isasyncgenfunction(inner) else _wrap_call(inner, around)
            changed: Handler = handler._replace(**{style: wrapped})  # type: ignore[attr-defined]
            return changed
    raise TypeError("a handler of no known style")


def with_tolerant_parser(handler: Handler) -> Handler:
    """Lets a request that is no message reach the handler, so that it is refused like any bad argument."""
    parse = handler.request_deserializer
    if parse is None:
        return handler

    def tolerant(data: bytes) -> object:
        try:
            return parse(data)
        except Exception:  # noqa: BLE001 - whatever protobuf says about it, the request is bad
            return Malformed()

    changed: Handler = handler._replace(request_deserializer=tolerant)  # type: ignore[attr-defined]
    return changed


def _wrap_call(inner: Callable[[Any, Context], Any], around: Around) -> Callable[[Any, Context], Any]:
    async def call(request: Any, context: Context) -> Any:
        async with around(request, context):
            answer = inner(request, context)  # a plain function in generated base classes, else a coroutine
            return await answer if inspect.isawaitable(answer) else answer

    return call


def _wrap_stream(
    inner: Callable[[Any, Context], AsyncIterator[Any]], around: Around
) -> Callable[[Any, Context], AsyncIterator[Any]]:
    async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
        async with around(request, context), aclosing(inner(request, context)) as answers:  # type: ignore[type-var]
            async for answer in answers:
                yield answer

    return stream
