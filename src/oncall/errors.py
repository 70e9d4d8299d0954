"""What a refused or failed call raises: its code, the machine-readable reason, and every bad field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from oncall.rich_status import decode
from oncall.tls_refusal import why_tls_failed, with_hint

_MADE_BY_THE_TRANSPORT = frozenset({grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL})


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One bad field: its path in the request (`version.script`) and what is wrong with it."""

    field: str
    description: str


class OncallError(Exception):
    """A call that did not succeed; `reason` is empty where the answer did not come from the service itself.

    `reason` and `metadata` are those of the contract's google.rpc.ErrorInfo, `violations` those of its BadRequest.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        violations: Sequence[FieldViolation] = (),
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.violations = tuple(violations)
        self.metadata = dict(metadata or {})

    def __str__(self) -> str:
        return f"{self.message} ({', '.join(filter(None, (self.code.name, self.reason)))})"

    @property
    def is_transient(self) -> bool:
        """Whether the same call may well succeed soon.

        Besides UNAVAILABLE that is what a connection cut by somebody in between looks like: gRPC reports the reset of
        a single stream as CANCELLED or INTERNAL, and a status of the service itself would carry a reason.
        """
        if self.code is grpc.StatusCode.UNAVAILABLE:
            return True
        return not self.reason and self.code in _MADE_BY_THE_TRANSPORT


class TlsRefused(OncallError):
    """Server and client cannot agree on TLS. Trying again does not help: somebody has to change one of them."""

    @property
    def is_transient(self) -> bool:
        return False


def from_rpc_error(error: grpc.RpcError, roots: str = "root_certificates") -> OncallError:
    """Answers `error`, as raised by a synchronous or asyncio call, with its rich details read.

    `roots` is how the caller calls what says whom to trust, for the sentence about a certificate that is not.
    Details that are missing or broken leave `reason` and `violations` empty; code and message are always there.
    """
    status: Any = error  # what a call raises is a call, too, which the base class does not promise
    metadata = dict(status.trailing_metadata() or ())
    details = decode(metadata.get("grpc-status-details-bin", b""))
    violations = [FieldViolation(field, description) for field, description in details.violations]
    if not details.reason and status.code() is grpc.StatusCode.UNAVAILABLE:
        sentence = why_tls_failed(status.details() or "", roots)
        if sentence:
            return TlsRefused(status.code(), "", sentence)
    message = with_hint(status.details() or "")
    return OncallError(status.code(), details.reason, message, violations, metadata=details.metadata)
