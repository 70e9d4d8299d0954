"""The one place that turns errors into gRPC statuses, as `google.rpc.Status` with details.

What has no row here is a fault of ours: the caller is told an id that stands in the log, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kernel import errors
from kernel.database import is_disconnect, sqlstate_of
from server.rpc.conversion import allowance_to_pb, duration_to_pb

DOMAIN = "oncall"
DETAILS_KEY = "grpc-status-details-bin"
# Statuses travel in HTTP/2 headers, which peers bound at 8 KiB; details grow by a third on their way.
LONGEST_MESSAGE = 500
LONGEST_METADATA = 500
GREATEST_BAD_REQUEST_BYTES = 3500

CODES: dict[type[errors.OncallError], grpc.StatusCode] = {
    errors.InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Aborted: grpc.StatusCode.ABORTED,
    errors.ResourceExhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class RichStatus:
    """A status as it is sent."""

    code: grpc.StatusCode
    message: str
    details: tuple[Message, ...]

    def metadata(self) -> tuple[tuple[str, bytes], ...]:
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        for detail in self.details:
            status.details.add().Pack(detail)
        return ((DETAILS_KEY, status.SerializeToString()),)


def is_expected(error: BaseException) -> bool:
    """Whether `error` is an answer; anything else is a fault and belongs into the log with its traceback."""
    return _as_refusal(error) is not None


def to_status(error: BaseException, request_id: UUID) -> RichStatus:
    """Answers the status of any error; `request_id` names the call in the log."""
    if isinstance(error, NotImplementedError):
        return RichStatus(grpc.StatusCode.UNIMPLEMENTED, "this RPC is not built yet", (_info("NOT_IMPLEMENTED", {}),))
    refusal = _as_refusal(error)
    if refusal is None:
        info = _info("INTERNAL", {"request_id": str(request_id)})
        return RichStatus(grpc.StatusCode.INTERNAL, f"internal error; the log has it as {request_id}", (info,))
    return RichStatus(_code(refusal), refusal.message[:LONGEST_MESSAGE], _details(refusal))


def _as_refusal(error: BaseException) -> errors.OncallError | None:
    if isinstance(error, errors.OncallError):
        return error
    if is_disconnect(error) or isinstance(error, PoolTimeout):
        return errors.Unavailable("the database cannot be reached just now; try again", reason="DATABASE_UNAVAILABLE")
    if sqlstate_of(error).startswith("40"):
        return errors.Aborted("somebody else changed the same thing at once; try again", reason="CONFLICT")
    return None


def _code(refusal: errors.OncallError) -> grpc.StatusCode:
    for kind in type(refusal).__mro__:
        if kind in CODES:
            return CODES[kind]
    raise LookupError(f"{type(refusal).__name__} has no status") from refusal


def _details(refusal: errors.OncallError) -> tuple[Message, ...]:
    details: list[Message] = [_info(refusal.reason, refusal.metadata)]
    match refusal:
        case errors.InvalidArgument(violations=violations):
            details.append(_bad_request(violations))
        case errors.ResourceExhausted(retry_after_seconds=seconds) | errors.Unavailable(retry_after_seconds=seconds):
            if seconds is not None:
                details.append(error_details_pb2.RetryInfo(retry_delay=duration_to_pb(seconds)))
    if isinstance(refusal, errors.ResourceExhausted) and refusal.allowance is not None:
        details.append(allowance_to_pb(refusal.allowance))
    return tuple(details)


def _bad_request(violations: Sequence[errors.FieldViolation]) -> error_details_pb2.BadRequest:
    """Names every violation, or as many as a header holds and how many more there are."""
    details = error_details_pb2.BadRequest()
    for index, violation in enumerate(violations):
        if details.ByteSize() > GREATEST_BAD_REQUEST_BYTES:
            details.field_violations.add(description=f"and {len(violations) - index} more")
            break
        details.field_violations.add(field=violation.field, description=violation.description)
    return details


def _info(reason: str, metadata: Mapping[str, str]) -> error_details_pb2.ErrorInfo:
    cut = {name: value[:LONGEST_METADATA] for name, value in metadata.items()}
    return error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=cut)
