"""The command's connection to the server: synchronous stubs that carry the token, and one place for what fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import grpc

from cli import credentials
from cli.credentials import Credentials, CredentialsUnusable
from cli.failure import fail, fail_with
from cli.tls_files import channel_credentials
from oncall.channel import CHANNEL_OPTIONS, authorization
from oncall.errors import OncallError, from_rpc_error
from oncall.v1.audit_service_pb2_grpc import AuditServiceStub
from oncall.v1.executor_service_pb2_grpc import ExecutorServiceStub
from oncall.v1.incident_service_pb2_grpc import IncidentServiceStub
from oncall.v1.notification_service_pb2_grpc import NotificationServiceStub
from oncall.v1.partner_service_pb2_grpc import PartnerServiceStub
from oncall.v1.runbook_service_pb2_grpc import RunbookServiceStub
from oncall.v1.secret_service_pb2_grpc import SecretServiceStub
from oncall.v1.status_page_service_pb2_grpc import StatusPageServiceStub
from oncall.v1.team_service_pb2_grpc import TeamServiceStub
from oncall.v1.workflow_service_pb2_grpc import WorkflowServiceStub

UNARY_TIMEOUT_SECONDS = 20.0
ROOTS = "--ca-file or ONCALL_CA_FILE"


@dataclass(frozen=True, slots=True)
class Server:
    """A connected server; every call that fails raises `OncallError`."""

    address: str
    runbooks: RunbookServiceStub
    teams: TeamServiceStub
    secrets: SecretServiceStub
    audit: AuditServiceStub
    executors: ExecutorServiceStub
    pages: StatusPageServiceStub
    partners: PartnerServiceStub
    incidents: IncidentServiceStub
    workflows: WorkflowServiceStub
    notifications: NotificationServiceStub


@contextmanager
def connected(with_credentials: Credentials | None = None) -> Iterator[Server]:
    """Connects as the caller of the credentials, by default the current ones.

    What fails within the block ends the command with one sentence and an exit code (`cli.failure`).
    """
    try:
        found = with_credentials or credentials.current()
        channel = open_channel(found)
        authorized = cast("grpc.Channel", _AuthorizedChannel(channel, found.token))
    except CredentialsUnusable as error:
        fail(str(error))
    except (ValueError, OSError) as error:
        fail(f"cannot connect to {with_credentials.server if with_credentials else 'the server'}: {error}")
    with channel:
        try:
            yield Server(
                found.server,
                runbooks=RunbookServiceStub(authorized),
                teams=TeamServiceStub(authorized),
                secrets=SecretServiceStub(authorized),
                audit=AuditServiceStub(authorized),
                executors=ExecutorServiceStub(authorized),
                pages=StatusPageServiceStub(authorized),
                partners=PartnerServiceStub(authorized),
                incidents=IncidentServiceStub(authorized),
                workflows=WorkflowServiceStub(authorized),
                notifications=NotificationServiceStub(authorized),
            )
        except OncallError as error:
            fail_with(error, found.server)


def open_channel(found: Credentials) -> grpc.Channel:
    """Opens it, in clear or over TLS; ValueError or OSError where the files for TLS cannot be used."""
    if not (found.tls or found.ca_file):
        if found.client_certificate or found.client_key:
            raise ValueError("a client certificate is shown over TLS only: give --tls or --ca-file, too")
        return grpc.insecure_channel(found.server, options=CHANNEL_OPTIONS)
    return grpc.secure_channel(found.server, channel_credentials(found), options=CHANNEL_OPTIONS)


class _AuthorizedChannel:
    """As much of a channel as the generated stubs need, with the token and the errors of this contract."""

    def __init__(self, channel: grpc.Channel, token: str) -> None:
        self._channel = channel
        self._authorization = authorization(token)

    def unary_unary(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        method = self._channel.unary_unary(*args, **kwargs)

        def call(request: Any) -> Any:
            try:
                return method(request, metadata=(self._authorization,), timeout=UNARY_TIMEOUT_SECONDS)
            except grpc.RpcError as error:
                raise from_rpc_error(error, ROOTS) from None

        return call

    def unary_stream(self, *args: Any, **kwargs: Any) -> Callable[[Any], Stream]:
        method = self._channel.unary_stream(*args, **kwargs)
        return lambda request: Stream(method(request, metadata=(self._authorization,)))


class Stream:
    """The answers of a streaming call, one after another."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._call
        except grpc.RpcError as error:
            raise from_rpc_error(error, ROOTS) from None

    def cancel(self) -> None:
        self._call.cancel()
