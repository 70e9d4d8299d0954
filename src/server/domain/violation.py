"""Collects what is wrong with a request, so that a caller hears all of it at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

from kernel.errors import FieldViolation, InvalidArgument

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Violations:
    """The bad fields found so far; a path such as `version.parameters[2].name` names each."""

    def __init__(self) -> None:
        self._found: list[FieldViolation] = []

    def add(self, field: str, description: str) -> None:
        self._found.append(FieldViolation(field, description))

    def raise_if_any(self) -> None:
        if self._found:
            raise InvalidArgument(self._found)

    def include(self, others: Violations) -> bool:
        """Takes over what `others` found; whether that was anything."""
        self._found += others._found
        return bool(others._found)

    def text(self, field: str, value: str, *, shortest: int = 0, longest: int) -> None:
        """Wants `shortest` to `longest` characters that PostgreSQL and an environment variable can hold."""
        if len(value) < shortest:
            self.add(field, "must not be empty" if shortest == 1 else f"must have at least {shortest} characters")
        elif len(value) > longest:
            self.add(field, f"must have at most {longest:,} characters")
        elif unstorable := why_unstorable(value):
            self.add(field, unstorable)

    def number(self, field: str, value: float, *, least: float, greatest: float) -> None:
        if not least <= value <= greatest:
            self.add(field, f"must be {least:,} to {greatest:,}")

    def uuid(self, field: str, value: str) -> UUID:
        """Answers the id; the nil id after noting the violation, for the caller raises before it uses it."""
        if _UUID.fullmatch(value):
            return UUID(value)
        self.add(field, "must be an id, such as 01890a5d-ac96-774b-bcce-b302099a8057" if value else "is required")
        return UUID(int=0)

    def optional_uuid(self, field: str, value: str) -> UUID | None:
        return self.uuid(field, value) if value else None

    def unique(self, field: str, values: Sequence[str]) -> None:
        if len(set(values)) != len(values):
            self.add(field, "must not name anything twice")


def why_unstorable(value: str) -> str | None:
    """Says what keeps `value` from being stored as text, if anything does."""
    if "\x00" in value:
        return "must not contain the NUL character"
    if any("\ud800" <= character <= "\udfff" for character in value):
        return "must be valid Unicode"
    return None


def require_uuid(field: str, value: str) -> UUID:
    """Answers one id, or refuses the request for it alone."""
    violations = Violations()
    found = violations.uuid(field, value)
    violations.raise_if_any()
    return found
