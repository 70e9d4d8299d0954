"""Finds out who calls, from where, and whether they may call this RPC at all, before the request is looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import grpc

from kernel.errors import Unauthenticated
from oncall.v1.runbook_service_pb2 import ExecuteRequest
from server.domain.permission import RULES, Call, Caller, Kind
from server.operations.authenticate import Authenticated, WantedRunbook
from server.rpc.conversion import request_id_of
from server.rpc.current_call import Serving, serving
from server.rpc.interception import Context, Continuation, Handler, wrap
from server.rpc.peer import address_of, plain_address

Authenticate = Callable[[str, str, WantedRunbook | None], Awaitable[Authenticated]]


class AuthenticationInterceptor(grpc.aio.ServerInterceptor):
    """Innermost, so that its refusals are mapped, noted and logged like any other."""

    def __init__(self, authenticate: Authenticate) -> None:
        """`authenticate` answers the caller of a credential that comes from an address, and reads what they want."""
        self._authenticate = authenticate

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        current = serving()
        rule = RULES.get(current.method)
        if handler is None or (rule is not None and rule.kind is Kind.ANONYMOUS):
            return handler
        return wrap(handler, lambda request, context: _admitted(self._authenticate, current, request, context))


@asynccontextmanager
async def _admitted(
    authenticate: Authenticate, current: Serving, request: object, context: Context
) -> AsyncIterator[None]:
    peer = address_of(context.peer())
    known = await authenticate(_bearer(context.invocation_metadata()), peer, _wanted_by(request))
    caller, current.runbook = known.caller, known.runbook
    call = Call(current.method, caller, _believed_address(caller, request) or peer, request_id_of(request))
    current.call = call
    call.admit()
    yield


def _wanted_by(request: object) -> WantedRunbook | None:
    """Answers what an Execute is about; None also where that cannot be, which is refused where requests are checked."""
    if not isinstance(request, ExecuteRequest) or request.version < 0:
        return None
    try:
        return WantedRunbook(UUID(request.runbook_id), request.version)
    except ValueError:
        return None


def _believed_address(caller: Caller, request: object) -> str:
    """Answers the address of the gateway's client; nobody but the gateway is believed about one."""
    asked = request if hasattr(request, "client_ip") else getattr(request, "asked", None)
    return plain_address(getattr(asked, "client_ip", "")) if caller.service_account == "gateway" else ""


def _bearer(metadata: Any) -> str:
    values = [value for key, value in metadata or () if key == "authorization"]
    if len(values) != 1 or not isinstance(values[0], str):
        raise Unauthenticated("send one credential, as `authorization: Bearer …`", reason="CREDENTIAL_MISSING")
    scheme, _, credential = values[0].partition(" ")
    if scheme.lower() != "bearer" or not credential:
        raise Unauthenticated("send the credential as `authorization: Bearer …`", reason="CREDENTIAL_MISSING")
    return credential.strip()
