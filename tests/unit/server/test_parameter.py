"""Values of parameters against their definitions."""

from __future__ import annotations

import time
from typing import Any

import pytest

from kernel.errors import InvalidArgument
from kernel.execution.content import ParameterDefinition, ParameterType
from server.domain.parameter import GREATEST_INTEGER, MASK, check_values

STRING, INTEGER, NUMBER = ParameterType.STRING, ParameterType.INTEGER, ParameterType.NUMBER
BOOLEAN, ENUM = ParameterType.BOOLEAN, ParameterType.ENUM


def a_parameter(type_: ParameterType = STRING, **fields: Any) -> ParameterDefinition:
    return ParameterDefinition("p", type_, **fields)


def _checked(definition: ParameterDefinition, value: object) -> object:
    return check_values([definition], {"p": value}).visible["p"]


@pytest.mark.parametrize(
    ("definition", "value", "given"),
    [
        (a_parameter(), "", ""),
        (a_parameter(), "ünï\n☃", "ünï\n☃"),
        (a_parameter(pattern="[a-z]+"), "abc", "abc"),
        (a_parameter(max_length=3), "☃☃☃", "☃☃☃"),
        (a_parameter(INTEGER), 5.0, 5),
        (a_parameter(INTEGER), -0.0, 0),
        (a_parameter(INTEGER), float(GREATEST_INTEGER), GREATEST_INTEGER),
        (a_parameter(INTEGER, min=1, max=1), 1.0, 1),
        (a_parameter(NUMBER), 0.1, 0.1),
        (a_parameter(BOOLEAN), False, False),
        (a_parameter(ENUM, options=("a", "b")), "b", "b"),
    ],
)
def test_a_good_value_is_given_in_its_type(definition: ParameterDefinition, value: object, given: object) -> None:
    checked = _checked(definition, value)
    assert (checked, type(checked)) == (given, type(given))


@pytest.mark.parametrize(
    ("definition", "value"),
    [
        (a_parameter(), 1.0),
        (a_parameter(), None),
        (a_parameter(), ["a"]),
        (a_parameter(), "a\x00b"),
        (a_parameter(), "\ud800"),
        (a_parameter(), "x" * 4097),
        (a_parameter(pattern="[a-z]+"), "abc1"),
        (a_parameter(pattern="a"), "a\n"),
        (a_parameter(INTEGER), 1.5),
        (a_parameter(INTEGER), True),
        (a_parameter(INTEGER), "1"),
        (a_parameter(INTEGER), float(2**53)),
        (a_parameter(INTEGER), float("inf")),
        (a_parameter(NUMBER), float("nan")),
        (a_parameter(NUMBER, min=0), -0.1),
        (a_parameter(NUMBER, max=1), 1.1),
        (a_parameter(BOOLEAN), 0.0),
        (a_parameter(ENUM, options=("a", "b")), "c"),
    ],
)
def test_a_wrong_value_is_one_violation_that_does_not_repeat_it(definition: ParameterDefinition, value: object) -> None:
    with pytest.raises(InvalidArgument) as refused:
        _checked(definition, value)
    (violation,) = refused.value.violations
    assert violation.field == "parameters.p"


def test_everything_wrong_is_said_at_once() -> None:
    definitions = [ParameterDefinition(name, STRING, required=True) for name in ("a", "b", "c")]
    with pytest.raises(InvalidArgument) as refused:
        check_values(definitions, {"a": 1.0, "b": "good", "z": "unknown"})
    assert {v.field for v in refused.value.violations} == {"parameters.a", "parameters.c", "parameters.z"}


def test_defaults_are_filled_in_and_what_is_optional_is_left_out() -> None:
    definitions = [ParameterDefinition("a", INTEGER, required=True, default=3), ParameterDefinition("b", STRING)]
    assert check_values(definitions, {}).visible == {"a": 3}


def test_sensitive_values_are_masked_in_what_is_visible_and_in_no_text() -> None:
    checked = check_values([a_parameter(sensitive=True), ParameterDefinition("q", STRING)], {"p": "hunter2", "q": "x"})
    assert checked.visible == {"p": MASK, "q": "x"}
    assert checked.sensitive == {"p": "hunter2"}
    assert "hunter2" not in repr(checked)


def test_all_values_together_are_bounded() -> None:
    definitions = [ParameterDefinition(f"p{i}", STRING, max_length=16_384) for i in range(9)]
    with pytest.raises(InvalidArgument) as refused:
        check_values(definitions, {definition.name: "x" * 16_384 for definition in definitions})
    assert refused.value.violations[0].field == "parameters"


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+b", ".*a.*a.*a.*a.*b"])
def test_no_pattern_and_no_value_hold_the_server_up(pattern: str) -> None:
    started = time.monotonic()
    with pytest.raises(InvalidArgument):
        _checked(a_parameter(pattern=pattern), "a" * 4000 + "c")
    assert time.monotonic() - started < 10  # where it is tried by backtracking it takes for ever
