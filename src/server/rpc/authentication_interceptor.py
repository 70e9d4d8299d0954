"""Finds out who calls and whether they may call this RPC at all, before anything of the request is looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc

from kernel.errors import Unauthenticated
from server.domain.permission import RULES, Call, Caller, Kind
from server.rpc.current_call import serving
from server.rpc.interception import Around, Context, Continuation, Handler, wrap


class AuthenticationInterceptor(grpc.aio.ServerInterceptor):
    """Innermost, so that its refusals are mapped and logged like any other."""

    def __init__(self, authenticate: Callable[[str], Awaitable[Caller]]) -> None:
        self._authenticate = authenticate

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        current = serving()
        rule = RULES.get(current.method)
        if handler is None or (rule is not None and rule.kind is Kind.ANONYMOUS):
            return handler
        try:
            caller = await self._authenticate(_bearer(handler_call_details.invocation_metadata))
            current.call = Call(current.method, caller)
            current.call.admit()
        except Exception as refusal:  # noqa: BLE001 - raised again where errors are mapped
            return wrap(handler, _refusing(refusal))
        return handler


def _bearer(metadata: Any) -> str:
    values = [value for key, value in metadata or () if key == "authorization"]
    if len(values) != 1 or not isinstance(values[0], str):
        raise Unauthenticated("send one credential, as `authorization: Bearer …`", reason="CREDENTIAL_MISSING")
    scheme, _, credential = values[0].partition(" ")
    if scheme.lower() != "bearer" or not credential:
        raise Unauthenticated("send the credential as `authorization: Bearer …`", reason="CREDENTIAL_MISSING")
    return credential.strip()


def _refusing(refusal: Exception) -> Around:
    @asynccontextmanager
    async def refuse(_: object, __: Context) -> AsyncIterator[None]:
        raise refusal
        yield

    return refuse
