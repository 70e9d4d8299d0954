"""Reads google.rpc.Status from trailing metadata without the package that usually brings those messages.

The few messages needed are described here and kept in a descriptor pool of their own, so that they never clash with
googleapis-common-protos where a program has that too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass


@dataclass(frozen=True, slots=True)
class RichStatus:
    """What the details of a status said; empty where there were none."""

    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: tuple[tuple[str, str], ...] = ()


def decode(details: bytes) -> RichStatus:
    """Reads the value of `grpc-status-details-bin`; bytes that are no status answer an empty one."""
    try:
        found = {any_.type_url.rpartition("/")[2]: any_.value for any_ in _parse("google.rpc.Status", details).details}
        info = _parse("google.rpc.ErrorInfo", found.get("google.rpc.ErrorInfo", b""))
        bad_request = _parse("google.rpc.BadRequest", found.get("google.rpc.BadRequest", b""))
    except DecodeError:
        return RichStatus()
    violations = tuple((violation.field, violation.description) for violation in bad_request.field_violations)
    return RichStatus(info.reason, {entry.key: entry.value for entry in info.metadata}, violations)


def _parse(name: str, data: bytes) -> Any:
    return _message_class(name).FromString(data)


@cache
def _message_class(name: str) -> type[Message]:
    return GetMessageClass(_pool().FindMessageTypeByName(name))


# The parts of google/rpc/status.proto and google/rpc/error_details.proto that the contract uses: name, number, type.
# A map is on the wire what a repeated message of key and value is.
_MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "Any": (("type_url", 1, "string"), ("value", 2, "bytes")),
    "Entry": (("key", 1, "string"), ("value", 2, "string")),
    "FieldViolation": (("field", 1, "string"), ("description", 2, "string")),
    "Status": (("code", 1, "int32"), ("message", 2, "string"), ("details", 3, "Any")),
    "ErrorInfo": (("reason", 1, "string"), ("domain", 2, "string"), ("metadata", 3, "Entry")),
    "BadRequest": (("field_violations", 1, "FieldViolation"),),
}
_SCALARS = {"string": Field.TYPE_STRING, "bytes": Field.TYPE_BYTES, "int32": Field.TYPE_INT32}


@cache
def _pool() -> DescriptorPool:
    file = FileDescriptorProto(name="oncall/rich_status.proto", package="google.rpc", syntax="proto3")
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for name, number, kind in fields:
            if kind in _SCALARS:
                message.field.add(name=name, number=number, type=_SCALARS[kind], label=Field.LABEL_OPTIONAL)
            else:  # every message field among these is repeated
                message.field.add(
                    name=name,
                    number=number,
                    type=Field.TYPE_MESSAGE,
                    type_name=f".google.rpc.{kind}",
                    label=Field.LABEL_REPEATED,
                )
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool
