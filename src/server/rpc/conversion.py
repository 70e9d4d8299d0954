"""Conversions that every resource needs: times, ids, enum values without their prefix, Struct values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from kernel.errors import Allowance, FieldViolation, InvalidArgument
from oncall.v1.partner_service_pb2 import RateLimit
from server.domain.page import PageRequest
from server.domain.request_key import LONGEST_REQUEST_ID, RequestKey


class _Enum(Protocol):
    """A generated enum."""

    def Name(self, number: Any) -> str: ...  # noqa: N802 - protobuf's name

    def Value(self, name: str) -> Any: ...  # noqa: N802 - protobuf's name


def time_to_pb(value: datetime | str | None) -> Timestamp | None:
    """Answers a Timestamp of what a row has, or of what a log repeats in ISO 8601."""
    if value is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(datetime.fromisoformat(value) if isinstance(value, str) else value)
    return timestamp


def time_from_pb(field: str, value: Timestamp) -> datetime:
    """Answers the time; protobuf can carry some that no calendar has."""
    try:
        return value.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise InvalidArgument([FieldViolation(field, "must be a time from the year 1 to the year 9999")]) from None


def duration_to_pb(seconds: float) -> Duration:
    nanos = round(seconds * 1e9)
    return Duration(seconds=nanos // 10**9, nanos=nanos % 10**9)


def allowance_to_pb(allowance: Allowance) -> RateLimit:
    return RateLimit(
        limit=allowance.limit,
        remaining=allowance.remaining,
        reset_after=duration_to_pb(allowance.reset_after_seconds),
        granted=allowance.granted,
    )


def id_to_pb(value: UUID | None) -> str:
    return "" if value is None else str(value)


def enum_from_pb(enum: _Enum, prefix: str, number: int) -> str:
    """Answers the name without its prefix; empty for `…_UNSPECIFIED`, and digits for a number without a name."""
    if number == 0:
        return ""
    try:
        return enum.Name(number).removeprefix(prefix)
    except ValueError:
        return str(number)


def enum_to_pb(enum: _Enum, prefix: str, name: str) -> Any:
    return enum.Value(prefix + name)


def value_from_pb(value: Value) -> object:
    """Answers text, number or truth; None for null and for what is not set; anything else as it is, to be refused."""
    kind = value.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    answer: object = getattr(value, kind)
    return answer


def value_to_pb(value: object) -> Value | None:
    match value:
        case None:
            return None
        case bool():
            return Value(bool_value=value)
        case int() | float():
            return Value(number_value=value)
        case _:
            return Value(string_value=str(value))


def struct_from_pb(struct: Struct) -> dict[str, object]:
    return {name: value_from_pb(value) for name, value in struct.fields.items()}


def struct_to_pb(values: Mapping[str, object]) -> Struct:
    struct = Struct()
    struct.update(dict[str, Any](values))
    return struct


def page_request(request: Any) -> PageRequest:
    return PageRequest(request.page_size, request.page_token)


def request_id_of(request: Any) -> str:
    """Answers the caller's request id, cut to what a valid one can be: it is noted also where it is refused."""
    given = getattr(request, "request_id", "")
    return given.replace("\0", "")[:LONGEST_REQUEST_ID] if isinstance(given, str) else ""


def request_key(request: Any) -> RequestKey:
    """Answers what makes a repeat of `request` the same call; hashing is left out where it cannot matter."""
    if not request.request_id:
        return RequestKey("", b"")
    return RequestKey(request.request_id, _fingerprint(request))


def _fingerprint(request: Message) -> bytes:
    content = type(request)()
    content.CopyFrom(request)
    content.ClearField("request_id")
    return hashlib.sha256(content.SerializeToString(deterministic=True)).digest()
