"""What is sealed opens only with its key, for its context, unchanged; and says which key that is."""

from __future__ import annotations

import base64

import pytest
from pydantic import SecretStr

from kernel.cipher import HEADER_BYTES, Cipher, derive_key, key_id_of
from kernel.settings import CoreSettings

KEY = base64.urlsafe_b64encode(bytes(32)).decode()
OTHER = base64.urlsafe_b64encode(bytes(31) + b"\x01").decode()


def settings_with(encryption_keys: str | None, master_key: str = KEY) -> CoreSettings:
    return CoreSettings(
        database_url=SecretStr("postgresql:///x"),
        redis_url=SecretStr("redis:///"),
        master_key=SecretStr(master_key),
        encryption_keys=None if encryption_keys is None else SecretStr(encryption_keys),
    )


def test_a_sealed_value_opens_under_its_key_and_context() -> None:
    sealed = Cipher(KEY).seal(b"hunter2", "execution 1")

    assert b"hunter2" not in sealed
    assert Cipher(KEY).open(sealed, "execution 1") == b"hunter2"
    assert sealed != Cipher(KEY).seal(b"hunter2", "execution 1")


def test_another_context_is_refused() -> None:
    with pytest.raises(ValueError, match="another context"):
        Cipher(KEY).open(Cipher(KEY).seal(b"hunter2", "a"), "b")


def test_a_change_of_any_byte_is_refused() -> None:
    sealed = Cipher(KEY).seal(b"hunter2", "a")
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(ValueError, match=r"changed since|another key|known layout"):
            Cipher(KEY).open(bytes(changed), "a")


@pytest.mark.parametrize("length", [0, 1, HEADER_BYTES, HEADER_BYTES + 12, HEADER_BYTES + 27])
def test_the_beginning_of_a_sealed_value_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=r"known layout|changed since"):
        Cipher(KEY).open(Cipher(KEY).seal(b"hunter2", "a")[:length], "a")


def test_a_missing_key_is_named_by_its_id_and_nothing_else() -> None:
    sealed = Cipher(KEY).seal(b"hunter2", "a")

    with pytest.raises(ValueError, match="another key") as refused:
        Cipher(OTHER).open(sealed, "a")
    assert Cipher(KEY).current_key_id in str(refused.value)
    assert KEY not in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_the_id_of_a_key_tells_nothing_of_it_and_is_the_same_everywhere() -> None:
    assert len(Cipher(KEY).current_key_id) == 16
    assert Cipher(KEY).current_key_id == Cipher(KEY, OTHER).current_key_id != Cipher(OTHER).current_key_id
    assert not derive_key(KEY, b"oncall cipher v1").hex().startswith(Cipher(KEY).current_key_id)
    assert KEY not in repr(Cipher(KEY))


def test_the_first_key_seals_and_all_open() -> None:
    both = Cipher(OTHER, KEY)
    sealed = both.seal(b"new", "a")

    assert key_id_of(sealed) == both.current_key_id == Cipher(OTHER).current_key_id
    assert sealed.startswith(both.current_header)
    assert Cipher(OTHER).open(sealed, "a") == b"new"
    assert both.open(Cipher(KEY).seal(b"old", "a"), "a") == b"old"


@pytest.mark.parametrize("bad", ["", "short", "not base64 !!", base64.urlsafe_b64encode(bytes(16)).decode()])
def test_a_bad_key_is_refused_without_being_repeated(bad: str) -> None:
    with pytest.raises(ValueError, match="32 bytes") as refused:
        Cipher(bad)
    assert not bad or bad not in str(refused.value)


def test_keys_for_different_purposes_differ() -> None:
    assert derive_key(KEY, b"one") != derive_key(KEY, b"two")


@pytest.mark.parametrize("unset", [None, "", "  "])
def test_without_encryption_keys_the_master_key_encrypts(unset: str | None) -> None:
    assert Cipher.of(settings_with(unset)).current_key_id == Cipher(KEY).current_key_id


def test_with_encryption_keys_the_master_key_opens_only_where_it_is_listed() -> None:
    old = Cipher.of(settings_with(None)).seal(b"hunter2", "a")

    assert Cipher.of(settings_with(f" {OTHER} , {KEY}\n")).open(old, "a") == b"hunter2"
    with pytest.raises(ValueError, match="another key"):
        Cipher.of(settings_with(OTHER)).open(old, "a")


@pytest.mark.parametrize(
    ("keys", "master_key", "named"),
    [
        (f"{KEY},secret!", KEY, "ONCALL_ENCRYPTION_KEYS: key 2 of 2"),
        (f"{KEY},,{OTHER}", KEY, "ONCALL_ENCRYPTION_KEYS: key 2 of 3"),
        (None, "secret!", "ONCALL_MASTER_KEY: "),
    ],
)
def test_a_bad_setting_is_named_without_its_value(keys: str | None, master_key: str, named: str) -> None:
    with pytest.raises(ValueError, match=named) as refused:
        Cipher.of(settings_with(keys, master_key))
    assert "secret!" not in str(refused.value)
