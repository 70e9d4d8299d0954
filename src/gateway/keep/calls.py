"""The gateway's calls of the server, and which of their errors mean that it cannot be asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable
from typing import TypeVar

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from gateway.keep.accesses import Batch
from gateway.server_client import CALL_SECONDS, refusal_of
from oncall.tls_refusal import why_tls_failed, with_hint
from oncall.v1 import partner_service_pb2 as pb
from oncall.v1.partner_service_pb2_grpc import PartnerServiceStub

T = TypeVar("T")

READY_SECONDS = 1.0

_AWAY = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED},
)
"""CANCELLED by the other side is a server that stops; a cancellation of our own is no AioRpcError."""


class ServerAway(Exception):
    """The server cannot be asked just now."""


class WatchUnknown(Exception):
    """The server knows no such watch any more."""


class PartnerCalls:
    """Each call with the gateway's own token; `show` and its like raise Refusal or ServerAway."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._stub = PartnerServiceStub(channel)
        self._health = HealthStub(channel)
        self._metadata = (("authorization", f"Bearer {token}"),)

    async def show(self, request: pb.GetStatusPageRequest, seconds: float = CALL_SECONDS) -> pb.GetStatusPageResponse:
        return await _understood(self._stub.GetStatusPage(request, metadata=self._metadata, timeout=seconds))

    async def create_session(self, request: pb.CreatePageSessionRequest) -> pb.CreatePageSessionResponse:
        return await _understood(self._stub.CreatePageSession(request, metadata=self._metadata, timeout=CALL_SECONDS))

    async def end_session(self, request: pb.EndPageSessionRequest) -> None:
        await _understood(self._stub.EndPageSession(request, metadata=self._metadata, timeout=CALL_SECONDS))

    async def list_access(self, request: pb.ListPartnerAccessRequest) -> pb.ListPartnerAccessResponse:
        return await _understood(self._stub.ListPartnerAccess(request, metadata=self._metadata, timeout=CALL_SECONDS))

    async def watch(self, watch_id: str) -> AsyncGenerator[pb.WatchStatusPagesResponse, None]:
        """Yields what the server tells; raises ServerAway at the end of the stream, however it ends."""
        stream = self._stub.WatchStatusPages(pb.WatchStatusPagesRequest(watch_id=watch_id), metadata=self._metadata)
        try:
            async for told in stream:
                yield told
        except grpc.aio.AioRpcError as error:
            raise _away(error) from None
        finally:
            stream.cancel()
        raise ServerAway("the stream ended")

    async def renew(self, watch_id: str, confirmed: list[str], seconds: float) -> float:
        """Answers how long the watch lasts, in seconds; raises ServerAway, within `seconds`, or WatchUnknown."""
        request = pb.RenewStatusPageWatchRequest(watch_id=watch_id, confirmed_change_ids=confirmed)
        try:
            answer = await self._stub.RenewStatusPageWatch(request, metadata=self._metadata, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                raise WatchUnknown from None
            raise _away(error) from None
        return answer.lease.ToTimedelta().total_seconds()

    async def record(self, batch: Batch) -> None:
        """Raises ServerAway where the batch has to be sent again, ValueError where the server will never take it."""
        request = pb.RecordPartnerAccessesRequest(accesses=batch.accesses, request_id=batch.request_id)
        try:
            await self._stub.RecordPartnerAccesses(request, metadata=self._metadata, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION):
                raise ValueError(error.code().name) from None
            raise _away(error) from None

    async def is_reachable(self) -> bool:
        """Whether the server says that it serves."""
        try:
            answer = await self._health.Check(HealthCheckRequest(), timeout=READY_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == HealthCheckResponse.SERVING)


def _away(error: grpc.aio.AioRpcError) -> ServerAway:
    """Tells what somebody has to change about TLS, where that is why; else the code says enough."""
    details = error.details() or ""
    why = why_tls_failed(details, "ONCALL_GATEWAY_SERVER_CA")
    hint = with_hint(details)
    return ServerAway(why or (hint if hint != details else error.code().name))


async def _understood(call: Awaitable[T]) -> T:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        if error.code() in _AWAY:
            raise _away(error) from None
        raise refusal_of(error) from None
