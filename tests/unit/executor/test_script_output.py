"""The object that a script leaves: what is accepted is kept whole, what is refused is told without a word of it."""

from __future__ import annotations

import base64
import json
import time
from typing import Any
from urllib.parse import quote

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import example, given
from hypothesis import strategies as st

from executor.masking import MASK, forms_of
from executor.script_output import GREATEST_WHOLE, OUTPUT_BYTES, OUTPUT_DEPTH, OutputError, object_of

SECRET = 'p@ss/w+rd "äß€"=&%20\\end'
FORMS = forms_of(SECRET.encode())
MASKED = MASK.decode()


def kept(text: str | bytes, *secrets: str) -> dict[str, Any]:
    forms = {form for secret in secrets for form in forms_of(secret.encode())}
    return object_of(text.encode() if isinstance(text, str) else text, forms)[0]


def refusal(text: str | bytes, *secrets: str) -> str:
    with pytest.raises(OutputError) as refused:
        kept(text, *secrets)
    return str(refused.value)


def nested(depth: int) -> str:
    return '{"a": ' * depth + "1" + "}" * depth


def of_size(size: int) -> str:
    return '{"a": "' + "x" * (size - 9) + '"}'


def test_an_object_is_kept_with_all_that_json_knows() -> None:
    text = '{"a": [1, -2.5, 1e300, true, null, {}], "": "\\u00e4\\ud83d\\ude00\\n", "ä": {"b": []}}\n'

    assert kept(text) == {"a": [1, -2.5, 1e300, True, None, {}], "": "ä😀\n", "ä": {"b": []}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("{\n\n  'a': 1}", "line 3, column 3: not JSON: Expecting property name enclosed in double quotes"),
        ('{"a": 1', "line 1, column 8: not JSON: Expecting ',' delimiter"),
        ('{"a": 1}\n{"a": 2}', "line 2, column 1: not JSON: Extra data"),
        ('{"a": "\n"}', "line 1, column 8: not JSON: Invalid control character at"),
        (b'{"a":\n"\xff"}', "line 2: not UTF-8"),
        (b'\xff\xfe{\0"\0a\0"\0', "line 1: not UTF-8"),
        (b"\0" * 100, "line 1, column 1: not JSON: Expecting value"),
        ("[1]", "not an object: what stands at the top must begin with {"),
        ('"{}"', "not an object: what stands at the top must begin with {"),
        ('{"a": NaN}', "a number that is not finite"),
        ('{"a": [-Infinity]}', "a number that is not finite"),
        ('{"a": 1e999}', "a number that is not finite"),
        ('{"a": "b\\u0000"}', "a text with a NUL character"),
        ('{"b\\u0000": 1}', "a text with a NUL character"),
        ('{"a": ["\\ud83d x"]}', "a text with half a surrogate pair"),
        ('{"\\udc00": 1}', "a text with half a surrogate pair"),
        (nested(OUTPUT_DEPTH + 1), f"objects and lists more than {OUTPUT_DEPTH} deep"),
        ('{"a": ' + "[" * 30_000 + "]" * 30_000 + "}", f"objects and lists more than {OUTPUT_DEPTH} deep"),
        (of_size(OUTPUT_BYTES + 1), f"larger than {OUTPUT_BYTES} bytes"),
    ],
)
def test_what_is_no_such_object_is_refused_in_a_few_words(text: str | bytes, told: str) -> None:
    assert refusal(text) == told


@pytest.mark.parametrize("number", [str(GREATEST_WHOLE + 1), str(-GREATEST_WHOLE - 1), "9" * 60_000])
def test_a_whole_number_that_would_come_out_as_another_is_refused(number: str) -> None:
    assert "would be rounded" in refusal(f'{{"a": {number}}}')


def test_what_is_just_within_the_limits_is_kept() -> None:
    assert len(kept(of_size(OUTPUT_BYTES))["a"]) == OUTPUT_BYTES - 9
    assert kept(nested(OUTPUT_DEPTH)) == json.loads(nested(OUTPUT_DEPTH))
    assert kept(f'{{"a": {GREATEST_WHOLE}, "b": {-GREATEST_WHOLE}}}') == {"a": GREATEST_WHOLE, "b": -GREATEST_WHOLE}


def test_the_deepest_object_survives_protobuf() -> None:
    struct, read = Struct(), Struct()
    struct.update(kept(nested(OUTPUT_DEPTH)))
    read.ParseFromString(struct.SerializeToString())
    assert read == struct


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
@example(b'{"a": ' + b"[" * 5_000)
@example(b'{"a": 1e99999}')
@example(b'{"a": -}')
@example("\ufeff{}".encode())
def test_whatever_a_script_writes_is_an_object_or_refused(data: bytes) -> None:
    try:
        value, _ = object_of(data, FORMS)
    except OutputError:
        return
    assert isinstance(value, dict)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-GREATEST_WHOLE, GREATEST_WHOLE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('ab\u00e4\\"/', max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text("abc", max_size=3), JSON, max_size=5), st.booleans())
def test_what_holds_no_secret_is_kept_as_it_is_masked_or_not(value: dict[str, Any], ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert json.dumps(kept(text)) == json.dumps(kept(text, SECRET)) == json.dumps(value)


@pytest.mark.parametrize(
    "shown",
    [
        SECRET,
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(b"xy" + SECRET.encode()).decode(),
        quote(SECRET),
        quote(SECRET, safe=""),
        json.dumps(SECRET),
        json.dumps({"key": SECRET}, ensure_ascii=False),
    ],
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_secret_is_masked_in_every_form_in_every_name_and_value(shown: str, ascii_only: bool) -> None:
    text = json.dumps({"a": [{"b": f"it is {shown}."}], f"<{shown}>": True, "c": "fine"}, ensure_ascii=ascii_only)

    value, count = object_of(text.encode(), FORMS)

    assert count == 2
    for form in FORMS:
        assert form not in json.dumps(value).encode()
        assert form not in json.dumps(value, ensure_ascii=False).encode()
    assert value["c"] == "fine"
    assert value["a"][0]["b"].startswith("it is")
    assert MASKED in value["a"][0]["b"]


def test_a_secret_of_which_every_letter_is_escaped_is_masked() -> None:
    hidden = "".join(f"\\u{ord(letter):04x}" for letter in SECRET)

    assert kept(f'{{"a": "<{hidden}>"}}', SECRET) == {"a": f"<{MASKED}>"}


@pytest.mark.parametrize("number", ["271828", "271828.0", "2.71828e5", "-271828", "31271828"])
def test_a_number_that_shows_a_secret_is_masked_however_it_is_written(number: str) -> None:
    assert kept(f'{{"pin": {number}, "other": [27182, 3.5]}}', "271828") == {"pin": MASKED, "other": [27182, 3.5]}


def test_a_secret_that_is_json_itself_is_not_taken_apart() -> None:
    key = '{"type": "account", "private_key": "abcdef", "pin": 4711}'

    told = refusal(f'{{"a": [{key}]}}', key)

    assert told == "it shows a secret that cannot be masked within one name or value"
    assert refusal(key, key) == told
    assert kept(json.dumps({"a": key}), key) == {"a": MASKED}


def test_two_names_that_are_the_same_once_masked_do_not_swallow_one_another() -> None:
    text = json.dumps({SECRET: 1, quote(SECRET): 2})

    assert refusal(text, SECRET) == "two names of one object are the same once they are masked"


def test_the_largest_object_of_the_smallest_pieces_is_masked_as_fast_as_a_text() -> None:
    """A quadratic reading, or one that asks for each piece anew, would take minutes for this."""
    secrets = [f"secret-{n}-{'x' * 40}" for n in range(50)]
    pieces = '{"a": [' + ",".join(['"s"'] * 16_000) + "]}"
    started = time.process_time()
    assert len(kept(pieces, *secrets)["a"]) == 16_000
    assert time.process_time() - started < 5
