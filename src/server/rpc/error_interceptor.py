"""Sends every error as a rich status, and logs those that are faults."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import structlog

from kernel.errors import FieldViolation, InvalidArgument
from server.rpc.current_call import Serving, serving
from server.rpc.interception import Context, Continuation, Handler, Malformed, with_tolerant_parser, wrap
from server.rpc.status import is_expected, to_status

log = structlog.get_logger()


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        current = serving()
        return wrap(with_tolerant_parser(handler), lambda request, context: _mapped(current, request, context))


@asynccontextmanager
async def _mapped(current: Serving, request: object, context: Context) -> AsyncIterator[None]:
    try:
        if isinstance(request, Malformed):
            raise InvalidArgument([FieldViolation("", "is not a message of this RPC in valid UTF-8")])
        yield
    except grpc.aio.AbortError:
        raise
    except Exception as error:
        if not is_expected(error) and not isinstance(error, NotImplementedError):
            log.exception("internal_error", method=current.method, request_id=str(current.id))
        await _abort(error, current, context)


async def _abort(error: Exception, current: Serving, context: Context) -> None:
    status = to_status(error, current.id)
    await context.abort(status.code, status.message, status.metadata())
