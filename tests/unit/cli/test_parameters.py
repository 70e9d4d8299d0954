"""What is typed becomes the definitions and the values that are meant, or a sentence that says why not."""

import pytest

from cli.parameter_specs import parse_spec, read_definitions
from cli.parameter_values import ParametersWrong, collect, convert, read_values
from cli.runbook_content import Language, guess_language
from oncall.v1.runbook_pb2 import (
    PARAMETER_TYPE_BOOLEAN,
    PARAMETER_TYPE_ENUM,
    PARAMETER_TYPE_INTEGER,
    PARAMETER_TYPE_NUMBER,
    PARAMETER_TYPE_STRING,
    ParameterDefinition,
)


def a_definition(name="host", **fields):
    return ParameterDefinition(name=name, **{"type": PARAMETER_TYPE_STRING, **fields})


@pytest.mark.parametrize(
    ("spec", "definition"),
    [
        ("host", a_definition()),
        ("host:required", a_definition(required=True)),
        ("host:string:required:sensitive", a_definition(required=True, sensitive=True)),
        (r"host:string:pattern=web-\d+(\:\d+)?", a_definition(pattern=r"web-\d+(:\d+)?")),
        ("host:string:max-length=9:description=a = b", a_definition(max_length=9, description="a = b")),
        ("n:integer:min=0:max=10", a_definition("n", type=PARAMETER_TYPE_INTEGER, min=0, max=10)),
    ],
)
def test_a_spec_reads_as_it_is_written(spec, definition):
    assert parse_spec(spec) == definition


def test_a_default_has_the_type_of_its_parameter():
    assert parse_spec("n:integer:default=3").default.number_value == 3
    assert parse_spec("b:boolean:default=false").default.WhichOneof("kind") == "bool_value"
    assert parse_spec("s:default=3").default.string_value == "3"
    assert parse_spec("e:enum:default=b:options=a,b").default.string_value == "b"


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("n:integr", "'integr' is no type: string, integer, number, boolean, enum"),
        ("n:integer:default=x", "n: default must be an integer"),
        ("n:integer:min=x", "n: min must be a number"),
        ("e:enum:options=a,b:default=c", "must be one of a, b"),
        ("s:string:options=a,b", "only an enum has options"),
        ("s:string:optional", "'optional' is none of required, sensitive, default=…"),
    ],
)
def test_a_spec_that_means_nothing_says_why(spec, why):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the text is compared below
        parse_spec(spec)
    assert why in str(refused.value)


def test_definitions_are_read_from_json_with_short_or_long_types():
    text = '[{"name": "a", "type": "integer"}, {"name": "b", "type": "PARAMETER_TYPE_ENUM", "options": ["x"]}]'
    assert [d.type for d in read_definitions(text)] == [PARAMETER_TYPE_INTEGER, PARAMETER_TYPE_ENUM]


@pytest.mark.parametrize("text", ["{}", "[1]", "[", '[{"name": "a", "typo": 1}]', '[{"name": "a", "type": "x"}]'])
def test_definitions_that_are_none_are_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - any sentence will do
        read_definitions(text)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (PARAMETER_TYPE_INTEGER, "-3", -3),
        (PARAMETER_TYPE_NUMBER, "2.5", 2.5),
        (PARAMETER_TYPE_BOOLEAN, "Yes", True),
        (PARAMETER_TYPE_BOOLEAN, "0", False),
        (PARAMETER_TYPE_STRING, " 3 ", " 3 "),
        (PARAMETER_TYPE_STRING, "", ""),
    ],
)
def test_a_value_has_the_type_of_its_definition(kind, text, value):
    assert convert(a_definition(type=kind), text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (PARAMETER_TYPE_INTEGER, "3.0"),
        (PARAMETER_TYPE_INTEGER, str(2**53 + 1)),
        (PARAMETER_TYPE_NUMBER, "nan"),
        (PARAMETER_TYPE_NUMBER, "1e999"),
        (PARAMETER_TYPE_BOOLEAN, "maybe"),
        (PARAMETER_TYPE_ENUM, "c"),
    ],
)
def test_a_value_of_another_type_is_refused_without_being_repeated(kind, text):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the text is compared below
        convert(a_definition(type=kind, options=["a", "b"]), text)
    assert text not in str(refused.value).replace("must be", "").split()


def test_what_is_typed_goes_before_what_a_file_gives():
    definitions = [a_definition("a"), a_definition("b")]
    assert collect(definitions, ["a=typed=so"], {"a": "given", "b": 1}, None) == {"a": "typed=so", "b": 1}


def test_every_problem_is_named_at_once():
    definitions = [a_definition("a", required=True), a_definition("n", type=PARAMETER_TYPE_INTEGER)]
    with pytest.raises(ParametersWrong) as refused:
        collect(definitions, ["n=x", "z=1"], {"y": 1}, None)
    assert [problem.split(":")[0] for problem in refused.value.problems] == ["y", "n", "z", "a"]


def test_a_required_parameter_with_a_default_need_not_be_given():
    assert collect([parse_spec("a:string:required:default=x")], [], {}, None) == {}


def test_a_needed_sensitive_value_is_asked_for_where_somebody_can_be():
    definitions = [a_definition("key", required=True, sensitive=True)]
    assert collect(definitions, [], {}, lambda name: f"the {name}") == {"key": "the key"}
    with pytest.raises(ParametersWrong):
        collect(definitions, [], {}, None)


def test_a_name_alone_is_asked_for():
    assert collect([a_definition()], ["host"], {}, lambda _: "asked") == {"host": "asked"}


def test_values_of_a_file_must_be_an_object():
    assert read_values('{"a": 1}') == {"a": 1}
    for text in ("[]", "{", "1"):
        with pytest.raises(ParametersWrong):
            read_values(text)


@pytest.mark.parametrize(
    ("path", "script", "language"),
    [
        ("-", "#!/bin/bash -e\n", Language.BASH),
        ("-", "#!/usr/bin/env python3.11\n", Language.PYTHON),
        ("-", "#!/usr/bin/env -S node --test\n", Language.JAVASCRIPT),
        ("a.py", "print()", Language.PYTHON),
        ("a.mjs", "", Language.JAVASCRIPT),
        ("a.py", "#!/bin/sh\n", Language.BASH),
    ],
)
def test_the_language_is_what_the_first_line_says_or_else_the_extension(path, script, language):
    assert guess_language(path, script) is language
