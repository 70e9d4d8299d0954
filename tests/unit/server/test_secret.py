"""What can be a secret, and which versions the secrets of a team suffice for."""

from __future__ import annotations

import pytest

from kernel.errors import FailedPrecondition, InvalidArgument
from server.domain.secret import check_name, check_value, require_all
from server.domain.violation import Violations


def _bad(name: str = "password", value: str = "correct horse") -> tuple[str, ...]:
    violations = Violations()
    check_name(violations, "name", name)
    check_value(violations, "value", value)
    try:
        violations.raise_if_any()
    except InvalidArgument as refused:
        message, fields = refused.message, tuple(violation.field for violation in refused.violations)
    else:
        return ()
    assert value not in message
    return fields


@pytest.mark.parametrize("name", ["a", "A", "DB_password_2", "x" * 64])
def test_a_name_can_end_an_environment_variables(name: str) -> None:
    assert _bad(name=name) == ()


@pytest.mark.parametrize("name", ["", "_a", "1a", "a-b", "a.b", "../a", "a/b", "a\n", "a\x00", "ä", "x" * 65])
def test_other_names_are_refused(name: str) -> None:
    assert _bad(name=name) == ("name",)


@pytest.mark.parametrize("value", ["8 bytes.", "€€€", "x" * 65_536, "two\nlines", "\x01\x02\x03\x04\x05\x06\x07\x08"])
def test_a_value_has_eight_bytes_to_64_kib(value: str) -> None:
    assert _bad(value=value) == ()


@pytest.mark.parametrize("value", ["7 bytes", "€€", "x" * 65_537, "€" * 21_846, "a \x00 within", "a \udc80 within"])
def test_other_values_are_refused_and_not_repeated(value: str) -> None:
    assert _bad(value=value) == ("value",)


def test_a_version_needs_each_secret_as_it_is_spelled() -> None:
    require_all([], [])
    require_all(["a", "B"], ["a", "B", "c"])
    with pytest.raises(FailedPrecondition, match="C, a") as refused:
        require_all(["C", "a", "b"], ["A", "b", "c"])
    assert (refused.value.reason, refused.value.metadata) == ("SECRET_MISSING", {"secret_names": "C,a"})
