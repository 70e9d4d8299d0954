"""The client reads what other people's messages wrote, with messages of its own."""

import subprocess
import sys

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from oncall.errors import FieldViolation, OncallError, from_rpc_error
from oncall.rich_status import RichStatus, decode


def a_status(*details) -> bytes:
    status = status_pb2.Status(code=3, message="no")
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status.SerializeToString()


class Failure(grpc.RpcError):
    def __init__(self, code, details, metadata=()):
        self._answers = code, details, metadata

    def code(self):
        return self._answers[0]

    def details(self):
        return self._answers[1]

    def trailing_metadata(self):
        return self._answers[2]


BAD_REQUEST = error_details_pb2.BadRequest(
    field_violations=[
        error_details_pb2.BadRequest.FieldViolation(field="version.script", description="must not be empty"),
        error_details_pb2.BadRequest.FieldViolation(field="runbook.name", description="is too long"),
    ]
)


def test_reason_metadata_and_violations_are_read():
    info = error_details_pb2.ErrorInfo(reason="INVALID_ARGUMENT", domain="oncall", metadata={"a": "1", "b": ""})
    assert decode(a_status(info, BAD_REQUEST)) == RichStatus(
        "INVALID_ARGUMENT",
        {"a": "1", "b": ""},
        (("version.script", "must not be empty"), ("runbook.name", "is too long")),
    )


def test_details_of_other_kinds_are_passed_over():
    assert decode(a_status(error_details_pb2.RetryInfo(), BAD_REQUEST)).violations[0][0] == "version.script"


@given(st.binary(max_size=64))
def test_bytes_that_are_no_status_never_raise(data):
    assert isinstance(decode(data), RichStatus)


def test_no_details_leave_code_and_message():
    error = from_rpc_error(Failure(grpc.StatusCode.NOT_FOUND, "there is no such runbook"))
    assert (error.code, error.reason, error.message, error.violations) == (
        grpc.StatusCode.NOT_FOUND,
        "",
        "there is no such runbook",
        (),
    )
    assert str(error) == "there is no such runbook (NOT_FOUND)"


def test_an_error_carries_every_violation():
    info = error_details_pb2.ErrorInfo(reason="INVALID_ARGUMENT", domain="oncall")
    metadata = (("x", "y"), ("grpc-status-details-bin", a_status(info, BAD_REQUEST)))
    error = from_rpc_error(Failure(grpc.StatusCode.INVALID_ARGUMENT, "no", metadata))
    assert error.reason == "INVALID_ARGUMENT"
    assert error.violations == (
        FieldViolation("version.script", "must not be empty"),
        FieldViolation("runbook.name", "is too long"),
    )


@pytest.mark.parametrize(
    ("code", "reason", "transient"),
    [
        (grpc.StatusCode.UNAVAILABLE, "", True),
        (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", True),
        (grpc.StatusCode.CANCELLED, "", True),
        (grpc.StatusCode.INTERNAL, "", True),
        (grpc.StatusCode.INTERNAL, "INTERNAL", False),
        (grpc.StatusCode.UNAUTHENTICATED, "", False),
        (grpc.StatusCode.NOT_FOUND, "NOT_FOUND", False),
    ],
)
def test_only_a_broken_connection_is_worth_trying_again(code, reason, transient):
    assert OncallError(code, reason, "").is_transient is transient


def test_the_client_needs_no_library_but_grpc_and_protobuf():
    """Whatever order they are imported in, its messages do not clash with googleapis-common-protos either."""
    program = """
import sys
import grpc, grpc.aio, google.protobuf
before = {name.split(".")[0] for name in sys.modules}
import oncall.client, oncall.rich_status
oncall.rich_status.decode(b"")
after = {name.split(".")[0] for name in sys.modules}
print(sorted(after - before - set(sys.stdlib_module_names)), "google.rpc" in sys.modules)
from google.rpc import error_details_pb2, status_pb2
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "['oncall'] False\n"
