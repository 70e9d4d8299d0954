"""One log line for each call: what, by whom, how it ended and how long it took. Never what it carried."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import structlog

from server.domain.permission import RULES, Kind, method_key
from server.rpc.current_call import Serving, begin
from server.rpc.interception import Context, Continuation, Handler, wrap
from server.rpc.peer import address_of

log = structlog.get_logger()


class TelemetryInterceptor(grpc.aio.ServerInterceptor):
    """The outermost: it also begins what `server.rpc.current_call` knows of the call."""

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        serving = begin(method_key(handler_call_details.method))
        handler = await continuation(handler_call_details)
        if handler is None or _is_probe(serving):
            return handler
        return wrap(handler, lambda _, context: _logged(serving, context))


@asynccontextmanager
async def _logged(serving: Serving, context: Context) -> AsyncIterator[None]:
    # Asked now, and the code only where the call came to its end: when a client has left a stream, what follows the
    # yield may run after gRPC has freed the call, and asking a freed call for its peer ends the whole process.
    peer = address_of(context.peer())
    left = True
    try:
        yield
        left = False
    except Exception:
        left = False
        raise
    finally:
        log.info(
            "call",
            method=serving.method,
            code="CANCELLED" if left else _name(context.code()),
            seconds=round(time.monotonic() - serving.started, 4),
            caller_id=str(serving.call.caller.user_id) if serving.call else None,
            peer=peer,
            request_id=str(serving.id),
        )


def _is_probe(serving: Serving) -> bool:
    rule = RULES.get(serving.method)
    return rule is not None and rule.kind is Kind.ANONYMOUS


def _name(code: object) -> str:
    if isinstance(code, grpc.StatusCode):
        return code.name
    return next((status.name for status in grpc.StatusCode if status.value[0] == (code or 0)), "UNKNOWN")
