"""How a request was answered, and what is wrong with that, if anything is."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from tests.fuzzing.callers import Metadata
from tests.fuzzing.requests import FuzzedRequest

CALL_SECONDS = 30.0
STREAM_SECONDS = 0.3
STREAM_EVENTS = 3
FAULTS = {
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DATA_LOSS,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Answer:
    code: grpc.StatusCode
    reason: str = ""
    messages: list[Message] = field(default_factory=list, repr=False)
    problem: str = ""
    seconds: float = 0.0
    """How long it took; nothing of a stream that was not refused, which takes as long as it is read."""


async def answer_of(channel: grpc.aio.Channel, request: FuzzedRequest, metadata: Metadata) -> Answer:
    """Sends a request as it is; of a stream, reads the first few messages and leaves."""
    read = GetMessageClass(request.method.output_type).FromString
    messages: list[Message] = []
    began = time.monotonic()
    try:
        if request.method.server_streaming:
            stream = channel.unary_stream(request.path, response_deserializer=read)(request.content, metadata=metadata)
            await _first_few(stream, messages)
        else:
            call = channel.unary_unary(request.path, response_deserializer=read)
            messages.append(await call(request.content, metadata=metadata, timeout=CALL_SECONDS))
    except grpc.aio.AioRpcError as error:
        return replace(_judged(request, error), seconds=time.monotonic() - began)
    seconds = 0.0 if request.method.server_streaming else time.monotonic() - began
    return Answer(grpc.StatusCode.OK, messages=messages, seconds=seconds)


async def _first_few(stream: Any, messages: list[Message]) -> None:
    try:
        async with asyncio.timeout(STREAM_SECONDS):
            async for message in stream:
                messages.append(message)
                if len(messages) == STREAM_EVENTS:
                    return
    except TimeoutError:
        pass  # nothing happens to an execution that no executor claims
    finally:
        stream.cancel()


def _judged(request: FuzzedRequest, error: grpc.aio.AioRpcError) -> Answer:
    code = error.code()
    if request.kind == "oversized" and code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return Answer(code, "refused by gRPC")
    info = _info(error)
    problem = ""
    if code in FAULTS:
        problem = f"{code.name} {error.details()}"
    elif not (info.reason and info.domain == "oncall"):
        problem = f"{code.name} without a reason: {error.details()}"
    return Answer(code, info.reason, problem=problem)


def _info(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    info = error_details_pb2.ErrorInfo()
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Unpack(info):
                    break
    return info
