"""Which unary calls may be repeated when nobody knows whether the first one arrived, and how that is done.

Reads change nothing. A call that takes a request id is made once however often it arrives, so it is given one. All
other calls are left to the caller: a second DeleteSecret may delete what somebody put there in between.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Generator
from typing import Any

import grpc

from oncall.errors import OncallError, from_rpc_error
from oncall.follow import Backoff

DEFAULT_RETRY_SECONDS = 10.0
_READS = ("Get", "List", "Diff")


def repeatable(method: str, request: Any) -> Any | None:
    """Answers the request to send as often as needed, with a request id if it takes one; None where it must not be.

    The caller's own message is left as it is: sent a second time, it means a second thing.
    """
    if "request_id" in request.DESCRIPTOR.fields_by_name:
        if request.request_id:
            return request
        copy = type(request)()
        copy.CopyFrom(request)
        copy.request_id = str(uuid.uuid4())
        return copy
    return request if method.rpartition("/")[2].startswith(_READS) else None


class UnaryCall:
    """A call that, awaited, answers the response or raises `OncallError`; all else is as in gRPC's own.

    `start` makes the call, given its timeout; without a `backoff` it is made once.
    """

    def __init__(self, start: Callable[[float | None], Any], timeout: float | None, backoff: Backoff | None) -> None:
        self._start = start
        self._backoff = backoff
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._call = start(timeout)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._response().__await__()

    async def _response(self) -> Any:
        while True:
            try:
                return await self._call
            except grpc.RpcError as error:
                refusal = from_rpc_error(error)
                delay = self._delay_after(refusal)
                if delay is None:
                    raise refusal from error
            await asyncio.sleep(delay)
            self._call = self._start(self._remaining())

    def _delay_after(self, error: OncallError) -> float | None:
        delay = self._backoff.next_delay() if self._backoff and error.is_transient else None
        remaining = self._remaining()
        if delay is None or (remaining is not None and remaining <= delay):
            return None
        return delay

    def _remaining(self) -> float | None:
        return None if self._deadline is None else self._deadline - time.monotonic()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)
