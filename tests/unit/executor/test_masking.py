"""Masking against a naive reading of the same rule: nothing of a value gets through, however the stream is cut."""

from __future__ import annotations

import base64
import itertools
import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from executor.masking import MASK, Masker, forms_of

SECRET = 'p@ss/w+rd "äß€"=&%20\\end'.encode()


def masked(pieces: list[bytes], *forms: bytes) -> tuple[bytes, int]:
    masker = Masker(forms)
    return b"".join([*(masker.feed(piece) for piece in pieces), masker.end()]), masker.count


def naively(text: bytes, forms: set[bytes]) -> tuple[bytes, int]:
    """The rule itself: mark every byte that any form covers; a run of marked bytes is one mask."""
    marks = bytearray(len(text))
    for form in forms:
        for start in range(len(text) - len(form) + 1):
            if text[start : start + len(form)] == form:
                marks[start : start + len(form)] = b"\1" * len(form)
    out, count = b"", 0
    for is_marked, group in itertools.groupby(range(len(text)), key=lambda i: marks[i]):
        if is_marked:
            out, count = out + MASK, count + 1
        else:
            out += bytes(text[i] for i in group)
    return out, count


def cut(text: bytes, edges: list[int]) -> list[bytes]:
    places = [0, *sorted(edge % (len(text) + 1) for edge in edges), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(places)]


# Few letters, so that values overlap, repeat and begin again inside themselves.
LETTERS = st.binary(max_size=60).map(lambda data: bytes(b"abc"[byte % 3] for byte in data))
FORMS = st.sets(
    st.binary(min_size=1, max_size=6).map(lambda data: bytes(b"abc"[byte % 3] for byte in data)), max_size=4
)


@given(LETTERS, FORMS, st.lists(st.integers(0, 60), max_size=8))
@example(b"aaaab", {b"aab", b"ab"}, [1, 2, 3])
@example(b"abcabcab", {b"abcab", b"cabca"}, [5])
def test_the_stream_is_masked_as_the_rule_says_however_it_is_cut(
    text: bytes, forms: set[bytes], edges: list[int]
) -> None:
    assert masked(cut(text, edges), *forms) == naively(text, forms)


ENCODINGS = {
    "plain": lambda value: value,
    "base64": base64.b64encode,
    "base64 after one byte": lambda value: base64.b64encode(b"x" + value + b"tail"),
    "base64 after two bytes": lambda value: base64.b64encode(b"xy" + value + b"t"),
    "urlsafe base64": lambda value: base64.urlsafe_b64encode(b"ab" + value),
    "url": lambda value: quote(value).encode(),
    "url, everything": lambda value: quote(value, safe="").encode(),
    "url, form": lambda value: quote_plus(value).encode(),
    "url, lower case": lambda value: (
        b"".join(b"%%%02x" % b if b in b' "&%' else bytes([b]) for b in b"key=") + quote(value, safe="").encode()
    ),
    "json": lambda value: json.dumps({"k": value.decode()}).encode(),
    "json, not only ascii": lambda value: json.dumps([value.decode()], ensure_ascii=False).encode(),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(edges=st.lists(st.integers(0, 400), max_size=12))
def test_a_value_is_masked_in_every_listed_form_over_random_splits(encoding: str, edges: list[int]) -> None:
    encoded = ENCODINGS[encoding](SECRET)
    text = b"before " + encoded + b" between " + encoded + b" after"
    out, count = masked(cut(text, edges), *forms_of(SECRET))

    assert count == 2
    assert out.startswith(b"before ")
    assert out.endswith(b" after")
    assert MASK in out
    for form in forms_of(SECRET):
        assert form not in out


@given(st.text(min_size=4, max_size=40), st.integers(0, 2), st.lists(st.integers(0, 200), max_size=6))
def test_any_value_is_masked_in_base64_at_any_alignment(value: str, before: int, edges: list[int]) -> None:
    data = value.encode()
    encoded = base64.b64encode(b"\xff" * before + data + b"\xff\xff")
    out, count = masked(cut(encoded, edges), *forms_of(data))

    assert count >= 1
    # What is left of the value's digits tells at most the six bits at either end.
    assert len(out) - len(MASK) * count <= len(encoded) - (len(data) * 8 // 6 - 2) + len(MASK)


def test_each_longer_line_of_a_value_is_masked_by_itself() -> None:
    key = b"-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n9w0BAQEFAASCBKcw\n-----END KEY-----\n"
    out, _ = masked([b"> MIIEvQIBADANBgkqhkiG\n> 9w0BAQEFAASCBKcw\n"], *forms_of(key))

    assert out == b"> ********\n> ********\n"


def test_what_cannot_be_part_of_a_value_is_not_held_back() -> None:
    masker = Masker(forms_of(b"hunter2hunter2"))

    assert masker.feed(b"all clear\n") == b"all clear\n"
    assert masker.feed(b"it is hunt") == b"it is "
    assert masker.feed(b"ing season\n") == b"hunting season\n"


def test_without_values_a_stream_passes_as_it_is() -> None:
    data = bytes(range(256))

    assert masked([data]) == (data, 0)
    assert forms_of(b"abc") == set()


def test_fifty_values_do_not_make_a_flood_crawl() -> None:
    forms = {form for n in range(50) for form in forms_of(f"secret-number-{n:03}-of-fifty".encode())}
    masker, chunk = Masker(forms), b"nothing secret in here at all, but much of it\n" * 1400
    began = time.thread_time()
    for _ in range(16):
        masker.feed(chunk)

    assert time.thread_time() - began < 5  # a megabyte; some hundred times what it takes
