"""The asyncio client: typed stubs that carry the caller's token, and logs that are followed over lost connections.

    async with Client("oncall.example:7443", token=token) as client:
        async for event in client.execute(runbook_id, {"host": "db-1"}):
            ...

It needs grpcio and protobuf, and nothing else.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Self, cast

import grpc
from google.protobuf.struct_pb2 import Struct

from oncall.authorized_channel import AuthorizedChannel
from oncall.channel import CHANNEL_OPTIONS, authorization
from oncall.errors import FieldViolation, OncallError, TlsRefused
from oncall.follow import DEFAULT_PATIENCE_SECONDS, Backoff, Progress
from oncall.repeating import DEFAULT_RETRY_SECONDS
from oncall.v1.execution_pb2 import ExecutionEvent
from oncall.v1.runbook_service_pb2 import ExecuteRequest
from oncall.v1.runbook_service_pb2_grpc import RunbookServiceStub
from oncall.v1.team_service_pb2_grpc import TeamServiceStub

if TYPE_CHECKING:
    from oncall.v1.runbook_service_pb2_grpc import RunbookServiceAsyncStub
    from oncall.v1.team_service_pb2_grpc import TeamServiceAsyncStub

__all__ = ["Client", "FieldViolation", "OncallError", "TlsRefused"]


class Client:
    """A connection to one server as one caller; use it with `async with`, within one event loop.

    `runbooks` and `teams` are the generated stubs; a stub of another service works over `channel`. Every call that
    fails raises `OncallError`, `TlsRefused` where no connection could be made because of TLS. What is safe to repeat is
    repeated by itself while the server is away: reads, and calls that take a request id, which is filled in where it is
    empty (`oncall.repeating`); `execute` and `watch` go on where they were.
    """

    channel: grpc.aio.Channel
    runbooks: RunbookServiceAsyncStub
    teams: TeamServiceAsyncStub

    def __init__(
        self,
        address: str,
        *,
        token: str,
        tls: bool = False,
        root_certificates: bytes | None = None,
        client_certificate: bytes | None = None,
        client_key: bytes | None = None,
        patience: float = DEFAULT_PATIENCE_SECONDS,
        retry_for: float = DEFAULT_RETRY_SECONDS,
    ) -> None:
        """`address` is host:port. `root_certificates` (PEM) implies `tls`, which alone trusts gRPC's own roots.

        `client_certificate` and `client_key` (PEM) are shown to a server that asks for them; both are read once, so
        that renewed ones need a new client.

        `patience` is for how many seconds in a row `execute` and `watch` try to get a lost connection back; `retry_for`
        for how many other calls that are safe to repeat are repeated (0: never), within their own `timeout` if any.
        """
        authorization(token)  # refuses here what could not be sent
        self.address = address
        self._token = token
        if (client_certificate is None) != (client_key is None):
            raise ValueError("client_certificate and client_key go together")
        self._tls = tls or root_certificates is not None
        if client_key is not None and not self._tls:
            raise ValueError("a client certificate is shown over TLS only: give tls or root_certificates, too")
        self._root_certificates = root_certificates
        self._client_certificate = client_certificate
        self._client_key = client_key
        self._patience = patience
        self._retry_for = retry_for

    def __repr__(self) -> str:
        return f"Client({self.address!r})"

    async def __aenter__(self) -> Self:
        self._connection = self._connect()
        self.channel = cast("grpc.aio.Channel", AuthorizedChannel(self._connection, self._token, self._retry_for))
        self.runbooks = RunbookServiceStub(self.channel)
        self.teams = TeamServiceStub(self.channel)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()

    def _connect(self) -> grpc.aio.Channel:
        if not self._tls:
            return grpc.aio.insecure_channel(self.address, options=CHANNEL_OPTIONS)
        credentials = grpc.ssl_channel_credentials(self._root_certificates, self._client_key, self._client_certificate)
        return grpc.aio.secure_channel(self.address, credentials, options=CHANNEL_OPTIONS)

    def execute(
        self,
        runbook_id: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        version: int = 0,
        incident_id: str = "",
        confirm: bool = False,
        request_id: str = "",
    ) -> AsyncIterator[ExecutionEvent]:
        """Runs a runbook and yields its log to the end, each event once and in order, over lost connections.

        Give a `request_id` of your own to find the same execution again from another process. Leaving the iteration
        does not stop the script. That the script failed is no error: the last event tells how it ended.
        """
        values = Struct()
        values.update(dict(parameters or {}))
        request = ExecuteRequest(
            runbook_id=runbook_id,
            version=version,
            parameters=values,
            incident_id=incident_id,
            confirm=confirm,
            request_id=request_id or str(uuid.uuid4()),
        )
        return self._follow(Progress(execute=request))

    def watch(self, execution_id: str, after_sequence: int = 0) -> AsyncIterator[ExecutionEvent]:
        """Yields the log of an execution, live or long ended, after a sequence; otherwise as `execute`."""
        return self._follow(Progress(execution_id=execution_id, after_sequence=after_sequence))

    async def _follow(self, progress: Progress) -> AsyncIterator[ExecutionEvent]:
        backoff = Backoff(self._patience)
        while True:
            call = self._open(progress)
            try:
                async for response in call:
                    if progress.accept(response.event):
                        backoff.progressed()
                        yield response.event
                return
            except OncallError as error:
                if progress.ended:
                    return  # all that was lost is the end of the stream
                delay = backoff.next_delay() if error.is_transient else None
                if delay is None:
                    raise
            finally:
                call.cancel()
            await asyncio.sleep(delay)

    def _open(self, progress: Progress) -> Any:
        request = progress.next_request()
        if isinstance(request, ExecuteRequest):
            return self.runbooks.Execute(request)
        return self.runbooks.WatchExecution(request)
