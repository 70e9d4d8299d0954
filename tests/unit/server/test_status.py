"""The map from errors to statuses is complete, and its statuses fit into a header."""

from __future__ import annotations

from uuid import UUID

import grpc
from google.rpc import error_details_pb2

from kernel import errors
from server.rpc.status import CODES, to_status

REQUEST_ID = UUID(int=7)


def test_every_error_class_has_a_status_of_its_own() -> None:
    classes = {
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.OncallError)
    }
    assert set(CODES) == classes - {errors.OncallError}
    assert len(set(CODES.values())) == len(CODES)


def test_an_unknown_error_says_nothing_but_an_id() -> None:
    status = to_status(RuntimeError("secret"), REQUEST_ID)
    assert status.code is grpc.StatusCode.INTERNAL
    assert b"secret" not in status.metadata()[0][1]
    assert str(REQUEST_ID) in status.message


def test_an_unreachable_database_is_worth_another_try() -> None:
    status = to_status(ConnectionRefusedError("10.0.0.1"), REQUEST_ID)
    assert status.code is grpc.StatusCode.UNAVAILABLE
    assert any(isinstance(detail, error_details_pb2.RetryInfo) for detail in status.details)
    assert "10.0.0.1" not in status.message


def test_a_status_fits_into_a_header_however_much_is_wrong() -> None:
    violations = [errors.FieldViolation("f" * 100, "d" * 100) for _ in range(10_000)]
    status = to_status(errors.InvalidArgument(violations), REQUEST_ID)
    assert len(status.metadata()[0][1]) * 4 / 3 + 3 * len(status.message) < 8 * 1024
    (bad,) = [detail for detail in status.details if isinstance(detail, error_details_pb2.BadRequest)]
    assert bad.field_violations[-1].description.startswith("and ")


def test_retry_delays_are_exact() -> None:
    status = to_status(errors.ResourceExhausted("slow down", retry_after_seconds=1.5), REQUEST_ID)
    (retry,) = [detail for detail in status.details if isinstance(detail, error_details_pb2.RetryInfo)]
    assert (retry.retry_delay.seconds, retry.retry_delay.nanos) == (1, 500_000_000)


def test_where_no_waiting_helps_none_is_asked_for() -> None:
    full = errors.ResourceExhausted("delete one", reason="TOO_MANY_WORKFLOWS", metadata={"limit": "500"})
    status = to_status(full, REQUEST_ID)
    (info,) = status.details
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert (status.code.name, info.reason, info.metadata["limit"]) == (
        "RESOURCE_EXHAUSTED",
        "TOO_MANY_WORKFLOWS",
        "500",
    )
