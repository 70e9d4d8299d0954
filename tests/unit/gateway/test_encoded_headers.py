"""Header fields as lines: told as they are, read back as they were, and nothing that would be another field."""

from __future__ import annotations

import pytest

from gateway.encoded_headers import encoded, fields_of


def test_fields_are_told_and_read_back() -> None:
    lines = encoded({"ETag": '"a: b"', "Vary": "Accept, Cookie"})
    assert lines == b'etag: "a: b"\r\nvary: Accept, Cookie\r\n'
    assert fields_of(lines) == [(b"etag", b'"a: b"'), (b"vary", b"Accept, Cookie")]


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\0", "\x7f"])
def test_a_value_that_would_end_its_field_is_not_told(value: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        encoded({"ETag": value})
