"""What makes a repeated call the same call."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.violation import Violations

LONGEST_REQUEST_ID = 100


@dataclass(frozen=True, slots=True)
class RequestKey:
    """The request id that the caller chose, and the SHA-256 of everything else in the request."""

    request_id: str
    fingerprint: bytes

    def check(self, violations: Violations) -> None:
        violations.text("request_id", self.request_id, longest=LONGEST_REQUEST_ID)
