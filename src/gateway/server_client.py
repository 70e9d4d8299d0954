"""The channel to the server, and what its errors mean over HTTP; the calls over it are `gateway.keep.calls`."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import structlog
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from gateway import refusal
from gateway.refusal import Refusal
from gateway.server_tls import ServerTls, renewed_channel
from gateway.shown import RateLimitLeft
from oncall.v1.partner_service_pb2 import RateLimit

CALL_SECONDS = 5.0

_CHANNEL_OPTIONS = [
    # A server that comes back is found within two seconds, not within the two minutes of the default.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # How long one attempt may take, whatever its name says; as in `oncall.channel`.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.enable_http_proxy", 0),
    # The largest page that there may be is some megabytes, more than the default of 4 MiB; as in `oncall.channel`.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
]

log = structlog.get_logger()


@asynccontextmanager
async def connect(server_address: str, tls: ServerTls | None = None) -> AsyncIterator[grpc.aio.Channel]:
    """Opens the channel; it connects, and connects again, when it is used."""

    def secure(credentials: grpc.ChannelCredentials) -> grpc.aio.Channel:
        return grpc.aio.secure_channel(server_address, credentials, options=_CHANNEL_OPTIONS)

    if tls is None:
        async with grpc.aio.insecure_channel(server_address, options=_CHANNEL_OPTIONS) as channel:
            yield channel
    else:
        async with renewed_channel(tls, secure) as channel:
            yield channel


def refusal_of(error: grpc.aio.AioRpcError) -> Refusal:
    """Translates an error of GetStatusPage.

    Whatever is not about the client's request is 503: that the gateway's own credential is refused must not read as if
    the partner's were.
    """
    details = _details(error)
    code, reason = error.code(), details.info.reason
    match code, reason:
        case grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING":
            return refusal.missing_token()
        case grpc.StatusCode.UNAUTHENTICATED, "TOKEN_UNKNOWN":
            return refusal.unknown_token()
        case grpc.StatusCode.PERMISSION_DENIED, _ if reason in refusal.FORBIDDEN_REASONS:
            return refusal.forbidden(reason)
        case grpc.StatusCode.NOT_FOUND, _:
            return refusal.unknown_page()
        case grpc.StatusCode.INVALID_ARGUMENT, _:
            return refusal.not_understood()
        case grpc.StatusCode.RESOURCE_EXHAUSTED, _ if details.retry is not None:
            return refusal.too_many(max(1, _seconds(details.retry.retry_delay)), _left(details.limit))
    log.warning("server_call_failed", code=code.name, reason=reason)
    return refusal.unavailable()


def _left(limit: RateLimit | None) -> RateLimitLeft | None:
    return RateLimitLeft(limit.limit, limit.remaining, _seconds(limit.reset_after)) if limit else None


def _seconds(duration: Duration) -> int:
    return math.ceil(duration.ToTimedelta().total_seconds())


class _Details:
    """What the rich status of an error carries; empty where there is none."""

    def __init__(self) -> None:
        self.info = ErrorInfo()
        self.retry: RetryInfo | None = None
        self.limit: RateLimit | None = None


def _details(error: grpc.aio.AioRpcError) -> _Details:
    found = _Details()
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            for detail in Status.FromString(value).details:
                detail.Unpack(found.info)
                retry = RetryInfo()
                if detail.Unpack(retry):
                    found.retry = retry
                limit = RateLimit()
                if detail.Unpack(limit):
                    found.limit = limit
    return found
