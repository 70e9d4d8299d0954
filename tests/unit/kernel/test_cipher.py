"""What is sealed opens only with its key, for its context, unchanged."""

from __future__ import annotations

import base64

import pytest

from kernel.cipher import Cipher, derive_key

KEY = base64.urlsafe_b64encode(bytes(32)).decode()
OTHER = base64.urlsafe_b64encode(bytes(31) + b"\x01").decode()


def test_a_sealed_value_opens_under_its_key_and_context() -> None:
    sealed = Cipher(KEY).seal(b"hunter2", "execution 1")

    assert b"hunter2" not in sealed
    assert Cipher(KEY).open(sealed, "execution 1") == b"hunter2"
    assert sealed != Cipher(KEY).seal(b"hunter2", "execution 1")


@pytest.mark.parametrize(("key", "context", "flip"), [(OTHER, "a", 0), (KEY, "b", 0), (KEY, "a", 1)])
def test_another_key_another_context_or_a_changed_byte_is_refused(key: str, context: str, flip: int) -> None:
    sealed = bytearray(Cipher(KEY).seal(b"hunter2", "a"))
    sealed[-1] ^= flip

    with pytest.raises(ValueError, match="another key"):
        Cipher(key).open(bytes(sealed), context)


@pytest.mark.parametrize("bad", ["", "short", "not base64 !!", base64.urlsafe_b64encode(bytes(16)).decode()])
def test_a_bad_master_key_is_refused_without_being_repeated(bad: str) -> None:
    with pytest.raises(ValueError, match="32 bytes") as refused:
        Cipher(bad)
    assert not bad or bad not in str(refused.value)


def test_keys_for_different_purposes_differ() -> None:
    assert derive_key(KEY, b"one") != derive_key(KEY, b"two")
