"""A command that runs in a thread, against a fake channel whose other end is the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import grpc
import grpc_testing
import pytest
from google.rpc import error_details_pb2, status_pb2
from typer.testing import CliRunner, Result

from cli.main import app
from oncall.v1 import (
    audit_service_pb2,
    executor_service_pb2,
    incident_service_pb2,
    notification_service_pb2,
    partner_service_pb2,
    runbook_service_pb2,
    secret_service_pb2,
    status_page_service_pb2,
    team_service_pb2,
    workflow_service_pb2,
)

SERVICES = [
    service
    for module in (
        audit_service_pb2,
        executor_service_pb2,
        incident_service_pb2,
        notification_service_pb2,
        partner_service_pb2,
        runbook_service_pb2,
        secret_service_pb2,
        status_page_service_pb2,
        team_service_pb2,
        workflow_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
]
TOKEN = "oct_ABCD_secret"
SECONDS = 10


def rich_status(code: grpc.StatusCode, message: str, reason: str, violations: dict[str, str] | None = None):
    """Answers the trailing metadata of a refusal, as the server makes it."""
    details = [error_details_pb2.ErrorInfo(reason=reason, domain="oncall")]
    if violations:
        bad = [error_details_pb2.BadRequest.FieldViolation(field=f, description=d) for f, d in violations.items()]
        details.append(error_details_pb2.BadRequest(field_violations=bad))
    status = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        status.details.add().Pack(detail)
    return (("grpc-status-details-bin", status.SerializeToString()),)


def in_thread(call: Callable[[], Any]) -> Future[Any]:
    """Answers the future of `call`, whose thread holds up nobody where a test has failed."""
    future: Future[Any] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future


def wait_until(happened: Callable[[], bool]) -> None:
    """Returns once `happened` answers true, and fails the test where it does not in time."""
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.005)


class FakeServer:
    """The other end: it runs commands, takes their calls one by one, and answers them."""

    def __init__(self) -> None:
        self.channel = grpc_testing.channel(SERVICES, grpc_testing.strict_real_time())
        self.metadata: Any = None

    def run(self, *arguments: str, stdin: str | bytes | None = None) -> Future[Result]:
        return in_thread(lambda: CliRunner().invoke(app, list(arguments), input=stdin))

    def take(self, method: str) -> tuple[Any, Any]:
        """Answers the request of the next call of `method`, and the call."""
        for service in SERVICES:
            if method in service.methods_by_name:
                descriptor = service.methods_by_name[method]
        streams = method in {"Execute", "WatchExecution", "WatchWorkflowRun"}
        take = self.channel.take_unary_stream if streams else self.channel.take_unary_unary
        self.metadata, request, rpc = in_thread(lambda: take(descriptor)).result(SECONDS)
        return request, rpc

    def answer(self, method: str, response: Any) -> Any:
        request, rpc = self.take(method)
        rpc.terminate(response, (), grpc.StatusCode.OK, "")
        return request

    def refuse(self, method: str, code: grpc.StatusCode, message: str, reason: str = "", **more: Any) -> None:
        _, rpc = self.take(method)
        rpc.terminate(None, rich_status(code, message, reason, **more) if reason else (), code, message)


@pytest.fixture
def server(monkeypatch, tmp_path):
    fake = FakeServer()
    monkeypatch.setattr("cli.connection.open_channel", lambda _credentials: fake.channel)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("ONCALL_SERVER", "oncall.test:7443")
    monkeypatch.setenv("ONCALL_TOKEN", TOKEN)
    return fake
