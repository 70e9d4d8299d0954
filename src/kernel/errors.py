"""Every error that a caller may see, with the machine-readable reason it carries.

One class per kind of answer; `server.rpc.status` maps each to a gRPC status, and a test holds that map complete. A
message is one sentence for people that says what to do; it never carries a secret, a token or a script's text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One bad field: its path in the request (`version.parameters[2].name`) and what is wrong with it."""

    field: str
    description: str


class OncallError(Exception):
    """A refusal with a reason; `metadata` is for programs, and must be as public as the message."""

    reason = "UNKNOWN"

    def __init__(self, message: str, *, reason: str | None = None, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.reason
        self.metadata = dict(metadata or {})


class InvalidArgument(OncallError):
    """The request itself is wrong, whatever the state; all violations at once."""

    reason = "INVALID_ARGUMENT"

    def __init__(self, violations: Sequence[FieldViolation], *, reason: str | None = None) -> None:
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations), reason=reason)
        self.violations = tuple(violations)


class Unauthenticated(OncallError):
    reason = "CREDENTIAL_INVALID"


class PermissionDenied(OncallError):
    """`team_id` is the team whose thing it was about, where there is one: for the audit, and never sent."""

    reason = "ROLE_MISSING"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        team_id: UUID | None = None,
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata)
        self.team_id = team_id


class NotFound(OncallError):
    """It does not exist or the caller may not see it: the two must never differ in anything."""

    reason = "NOT_FOUND"


class AlreadyExists(OncallError):
    reason = "ALREADY_EXISTS"


class FailedPrecondition(OncallError):
    reason = "FAILED_PRECONDITION"


class Aborted(OncallError):
    """Somebody else was faster; read again and decide again."""

    reason = "ABORTED"


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much of a rate is left: `limit` requests a minute, of which `remaining` until it is whole again."""

    limit: int
    remaining: int
    reset_after_seconds: float
    granted: int = 0
    """Requests taken besides the one that asked, to be answered within the next second."""


class ResourceExhausted(OncallError):
    """`allowance` is the rate that is used up, where it is the caller's own; without `retry_after_seconds` no waiting
    helps: somebody has to make room.
    """

    reason = "RESOURCE_EXHAUSTED"

    def __init__(
        self,
        message: str,
        *,
        retry_after_seconds: float | None = None,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        allowance: Allowance | None = None,
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata)
        self.retry_after_seconds = retry_after_seconds
        self.allowance = allowance


class Unavailable(OncallError):
    """A part that is needed cannot be reached just now; trying again is right."""

    reason = "UNAVAILABLE"

    def __init__(self, message: str, *, retry_after_seconds: float = 1.0, reason: str | None = None) -> None:
        super().__init__(message, reason=reason)
        self.retry_after_seconds = retry_after_seconds
